// Package entry holds what every keeper of the table shares, whether it is DynamoDB or memory: what an entry may become, and in
// which form its values are kept. It is pure: how entries are read, written and made conditional is the keepers' own.
package entry
