package store

// What the tests in package store_test look at from inside.
var (
	Encode = encode
	Decode = decode
)

// Tries is how often a request is made at most.
const Tries = tries

// ReadAnything reads an item as every kind there is, as if it had been found under each one's key.
func ReadAnything(it item) (errs []error) {
	_, err := certificateOf(it)
	errs = append(errs, err)
	_, err = issuanceOf(it)
	errs = append(errs, err)
	_, err = bucketsOf(it)
	errs = append(errs, err)
	var l leaseRecord
	var c closedRecord
	var lim limitsRecord
	errs = append(errs, read(it, &l), read(it, &c))
	_, err = loadsOf(it)
	errs = append(errs, err)
	_, err = watchOf(it)
	errs = append(errs, err)
	if err = read(it, &lim); err == nil {
		_, err = setOf(stringOf(it, attrKey), lim)
	}
	return append(errs, err)
}
