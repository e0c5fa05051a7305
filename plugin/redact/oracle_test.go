package redact

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/routelens/routelens/plugin/config"
)

// Where a path means the same to both, and names one value, the edit is sjson's.
func TestTheEditIsThatOfSjson(t *testing.T) {
	docs := []string{
		`{"user":{"email":"a","name":"b","x.y":1},"cards":[{"pan":"1","exp":2},{"pan":"3"}],"a":{"b":{"c":[1,2,{"d":null}]}},"p\"q":true}`,
		`{"a":{"b":{"c":{"d":"x"}}},"user":"none","cards":[]}`,
		`[{"email":"a"},{"email":"b"}]`,
	}
	for _, doc := range docs {
		for _, path := range []string{"user.email", "user", "cards.1.pan", "cards.0", "a.b.c", "a.b", "a.b.c.2.d", `user.x\.y`, "1.email", "0"} {
			if !gjson.Get(doc, path).Exists() {
				continue
			}
			for _, mode := range []string{config.Mask, config.Remove} {
				want, err := sjson.Set(doc, path, Masked)
				if mode == config.Remove {
					want, err = sjson.Delete(doc, path)
				}
				require.NoError(t, err)
				got, verdict := hiding(path+" "+mode).JSON(nil, []byte(doc), Options{})
				require.Equal(t, Redacted, verdict)
				assert.Equal(t, want, string(got), "%s %s", path, mode)
			}
		}
	}
}

func TestGjsonReadsNothingButMasks(t *testing.T) {
	for _, path := range []string{"cards.#.pan", "*.pan", "user.*", "us*.em?il"} {
		doc := `{"user":{"email":"a"},"cards":[{"pan":"1"},{"pan":"2"}],"x":{"pan":"3"}}`
		got, _ := hiding(path, "us*.em*il").JSON(nil, []byte(doc), Options{})
		values := gjson.GetBytes(got, path)
		values.ForEach(func(_, value gjson.Result) bool {
			assert.Equal(t, Masked, value.String(), path)
			return true
		})
		assert.True(t, values.Exists(), path)
	}
}
