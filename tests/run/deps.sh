#!/bin/sh
# deps.sh SET...: see that everything the sets need is there, and install what
# is missing with apt-get where there is one.  Costs nothing when all is there.
set -eu

# set, what proves it is there (a command, or pc:module), Debian package
needs='
make make make
build cc gcc
build cc libc6-dev
build pkg-config pkg-config
build pc:libmnl libmnl-dev
build pc:libsodium libsodium-dev
build pc:inih libinih-dev
build bash bash
demo nc netcat-openbsd
check bats bats
check nc netcat-openbsd
check jq jq
check python3 python3
check git git
check systemd-analyze systemd
lint clang clang
lint clang-format clang-format
lint clang-tidy clang-tidy
lint shellcheck shellcheck
lint mandoc mandoc
lint zsh zsh
lint fish fish
'

has()
{
	case $1 in
	pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
	*) command -v "$1" >/dev/null 2>&1 ;;
	esac
}

missing_packages()
{
	printf '%s' "$needs" | while read -r in proof package; do
		case " $sets " in *" $in "*) ;; *) continue ;; esac
		has "$proof" || printf ' %s' "$package"
	done
}

sets=$*
missing=$(missing_packages)
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "ringkit needs what Debian calls:$missing" >&2
	echo "Install it with this system's package manager, then try again." >&2
	exit 1
fi
as_root=
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		echo "as root: apt-get install$missing" >&2
		exit 1
	fi
	as_root='sudo env'
fi
echo "installing:$missing"
apt()
{
	# shellcheck disable=SC2086 # as_root is two words or none
	$as_root ${as_root:+DEBIAN_FRONTEND=noninteractive} apt-get -q -y \
		-o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" </dev/null
}
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of package names
{
	apt install --no-install-recommends $missing >/dev/null 2>&1 || {
		apt update >/dev/null
		apt install --no-install-recommends $missing >/dev/null
	}
}
missing=$(missing_packages)
[ -z "$missing" ] || { echo "still missing:$missing" >&2; exit 1; }
