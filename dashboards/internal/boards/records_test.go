package boards

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/routelens/routelens/plugin/record"
)

func TestQueriesNameFieldsThatRecordsHave(t *testing.T) {
	for _, field := range []string{recordRoute, recordCode, recordFlags, recordAttempts, recordWeight} {
		assert.Contains(t, record.Keys, field)
	}
}
