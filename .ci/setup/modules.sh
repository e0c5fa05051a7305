# Go modules, as the scripts find and build them: sourced after prelude.sh.

# module_dir MODULE VERSION: where Go keeps it, fetched if need be.
module_dir() {
	_dir=$(native_go mod download -json "$1@$2" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
	[ -d "$_dir" ] || fail "$1 $2 could not be had"
	printf '%s\n' "$_dir"
}

# pinned CONSUMER MODULE: the version of a module that publish/consumers/CONSUMER builds with.
pinned() { sed -n "s|^\(require\)\{0,1\}[[:space:]]*$2 \(v[^ ]*\).*|\2|p" "publish/consumers/$1/go.mod"; }

# programs MODULE VERSION FOLDER PACKAGE...: builds a module's own programs into a folder, with the requirements that it has itself, and with
# $tags and $ldflags.
programs() {
	_module=$(module_dir "$1" "$2") && _folder=$(realpath "$3") || return
	shift 3
	(cd "$_module" && CGO_ENABLED=0 GOWORK=off native_go build -mod=readonly -trimpath \
		-tags "${tags:-}" -ldflags "-s -w ${ldflags:-}" -o "$_folder/" "$@")
}

# built NAME SAY FUNCTION...: .cache/NAME, made in one piece by the function, which builds into $part.
built() {
	_name=$1 _say=$2
	shift 2
	[ ! -d "$cache/$_name" ] || return 0
	say "building $_say from its Go module"
	new_part "$_name"
	"$@" || fail "$_say could not be built, see above"
	keep_part "$_name"
}
