package main

import (
	"fmt"
	"strings"
)

// bodySizes are those of the request and of the response in rows with bodies.
var bodySizes = []int{1 << 10, 64 << 10}

func sizeName(bytes int) string { return fmt.Sprintf("%d KiB", bytes>>10) }

// document is a JSON object of that many bytes, such as an order has.
func document(size int) string {
	const head, tail = `{"items":[`, `],"note":""}`
	var b strings.Builder
	b.WriteString(head)
	for n := 0; ; n++ {
		item := fmt.Sprintf(`{"sku":"lamp-%05d","price":29.9,"gift":false,"for":{"name":"Ada","city":"London"}},`, n)
		if b.Len()+len(item)+len(tail) > size {
			break
		}
		b.WriteString(item)
	}
	items := strings.TrimSuffix(b.String(), ",")
	return items + tail[:len(tail)-2] + strings.Repeat("x", max(0, size-len(items)-len(tail))) + tail[len(tail)-2:]
}
