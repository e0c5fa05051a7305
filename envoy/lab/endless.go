package lab

import "io"

// EndlessJSON reads as a JSON list without an end, for transfers of any size.
func EndlessJSON() io.Reader { return &endless{} }

type endless struct{ at int }

const endlessItem = `{"sku":"lamp-0042","price":29.5,"user":{"email":"ada@shop.example"}},`

func (e *endless) Read(b []byte) (n int, err error) {
	if e.at == 0 && len(b) > 0 {
		b[0] = '['
		n, e.at = 1, len(endlessItem)
	}
	for n < len(b) {
		copied := copy(b[n:], endlessItem[e.at%len(endlessItem):])
		n, e.at = n+copied, len(endlessItem)+(e.at+copied)%len(endlessItem)
	}
	return n, nil
}
