# What each script here starts with: strict shell, the top of the tree as working folder, the versions of Tools.mk as
# variables, and words for progress and failure. Sourced, with $0 still the script's own name.
set -eu
cd "$(dirname "$0")"
while [ ! -e Tools.mk ]; do cd ..; done
top=$(pwd)
eval "$(sed -n 's/^\([A-Z_]*\) := \([^ ]*\)$/\1=\2/p' Tools.mk)"
cache=.cache
mkdir -p $cache/bin

bold='' plain=''
if [ -t 2 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
	bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi

# Progress goes to standard error, so that a script's output stays what it was asked for.
say() { printf '%s==>%s %s\n' "$bold" "$plain" "$*" >&2; }
fail() { printf '%serror:%s %s\n' "$bold" "$plain" "$*" >&2; exit 1; }

# quietly LOG COMMAND...: its output goes to .cache/LOG.log, and is shown only when it fails.
quietly() {
	_log=$cache/$1.log
	shift
	"$@" >"$_log" 2>&1 </dev/null && return
	_code=$?
	tail -n 30 "$_log" >&2
	say "that was the end of $top/$_log"
	return $_code
}

# soon SECONDS COMMAND...: whether it succeeds within so many seconds.
soon() {
	_until=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $_until ] || return 1
		sleep 0.5
	done
}

# at_least HAVE WANT: whether version HAVE is WANT or later.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# on_path NAME: the program of that name on PATH, leaving out our own link to it, which would become a link to itself.
on_path() {
	_found=$(command -v "$1" 2>/dev/null) || return 1
	case $_found in "$top/$cache"/*) return 1 ;; esac
	printf '%s\n' "$_found"
}

# Half-made things live under a name of their own until they are whole, and go when the script is stopped; those of a script
# that was killed outright go an hour later.
part=''
at_exit() {
	_code=$?
	if [ -d "$part" ]; then chmod -R u+w "$part" && rm -rf "$part"; fi
	last_words $_code
}
last_words() { :; } # CODE: for a script to say something in the end

new_part() {
	find "$cache" -maxdepth 1 -name '*.part.*' -mmin +60 -exec rm -rf {} +
	part=$(mktemp -d "$cache/$1.part.XXXXXX")
	trap at_exit EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# keep_part NAME: what was made is whole, so give it its name. Where another run was faster, its work is as good.
keep_part() {
	chmod 755 "$part"
	[ -d "$cache/$1" ] || mv "$part" "$cache/$1"
}

# link NAME TARGET: .cache/bin/NAME is TARGET, swapped in one step, as another run may be using it.
link() {
	[ "$(readlink "$cache/bin/$1" 2>/dev/null)" = "$2" ] && return
	ln -sf "$2" "$cache/bin/.$1.$$"
	mv -f "$cache/bin/.$1.$$" "$cache/bin/$1"
}

# linked NAME: where .cache/bin/NAME leads, for a person to read.
linked() { readlink "$cache/bin/$1" | sed "s|^\.\./|$cache/|"; }

# Go as it is on this machine, whatever the caller's environment would have it build for.
native_go() { env -u GOOS -u GOARCH -u GOBIN GOFLAGS=-buildvcs=false go "$@"; }
