package lab

import (
	"fmt"
	"os"
	"path/filepath"
)

// OtherBuild copies a plugin with other bytes, so that everyone takes it for other code: a custom section more
// (https://webassembly.github.io/spec/core/binary/modules.html#custom-section). Each n from 0 to 255 makes another.
func OtherBuild(wasm, dir string, n int) (file string, _ error) {
	code, err := os.ReadFile(wasm)
	if err != nil {
		return "", err
	}
	const name = "generation"
	code = append(code, 0, byte(1+len(name)+1), byte(len(name)))
	code = append(append(code, name...), byte(n))
	file = filepath.Join(dir, fmt.Sprintf("%d.wasm", n))
	return file, os.WriteFile(file, code, 0o644)
}
