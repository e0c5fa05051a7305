# Debian's packages, sourced after prelude.sh by the scripts that can use them.

# missing PACKAGE...: those of them that are not installed.
missing() {
	for _package; do
		dpkg-query -W -f '${Status}\n' "$_package" 2>/dev/null | grep -q ' installed$' || printf '%s ' "$_package"
	done
}

has_apt() { command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; }
can_install() { has_apt && [ "$(id -u)" = 0 ]; }

# with_lists COMMAND...: runs it, and again with fresh package lists if it failed: they may be missing or old. An update that
# fails in part is no reason to stop: the command's second run tells.
with_lists() { "$@" || { apt-get update; "$@"; }; }

# one_at_a_time COMMAND...: two makes at once must not meet in apt's lock files, some of which nobody waits for.
one_at_a_time() {
	(
		command -v flock >/dev/null && flock 9
		"$@"
	) 9>"$cache/apt.lock"
}

# install PACKAGE...: installs what is missing of them. Only where can_install.
install() {
	# shellcheck disable=SC2046 # a list of words is what is wanted
	set -- $(missing "$@")
	[ $# = 0 ] && return
	say "installing Debian's $*"
	quietly apt one_at_a_time with_lists env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=600 "$@"
}
