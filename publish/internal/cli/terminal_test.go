package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheBarFitsItsLine(t *testing.T) {
	for _, c := range []struct {
		bytes, total int64
		columns      int
		want         string
	}{
		{0, 1000, 60, "pushing   0 % of 1000 bytes [                              ]"},
		{512 << 10, 1 << 20, 60, "pushing  50 % of 1.0 MiB [################                 ]"},
		{1 << 20, 1 << 20, 120, "pushing 100 % of 1.0 MiB [########################################]"},
		{3 << 20, 1 << 20, 36, "pushing 100 % of 1.0 MiB"},
		{512 << 10, 1 << 20, 37, "pushing  50 % of 1.0 MiB [#####     ]"},
		{512 << 10, 1 << 20, 15, "pushing  50 % o"},
		{512 << 10, 1 << 20, 0, ""},
		{512 << 10, 1 << 20, -1, ""},
		{512 << 10, -1, 60, "pushing 512.0 KiB"},
	} {
		line := bar("pushing", c.bytes, c.total, c.columns)
		assert.Equal(t, c.want, line)
		assert.LessOrEqual(t, len(line), max(0, c.columns))
	}
}
