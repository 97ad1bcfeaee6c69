package inventory

// MostUnfit is how many certificates in a row a CA may sign that aren't taken (bad-certificate)
// before no more are ordered: each is paid for, and the CA will hardly sign another one the fourth
// time.
const MostUnfit = 3

// AwaitsPerson says whether no order is made for c until a person changes what is wanted or asks
// for it by name: what the CA signed wasn't taken again and again. A second CA, once it is its
// turn, has as many tries of its own.
func (c Certificate) AwaitsPerson() bool {
	most := MostUnfit
	if c.Status.Fallback != "" {
		most = 2 * MostUnfit
	}
	return c.Status.Unfit >= most
}
