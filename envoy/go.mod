module github.com/routelens/routelens/envoy

go 1.26

replace github.com/routelens/routelens => ../

require (
	github.com/routelens/routelens v0.0.0
	github.com/stretchr/testify v1.11.1
)

require (
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)
