#!/usr/bin/env bash
# Downloads the same files from the same server on loopback with tidegate and with curl, in one run,
# and prints how long each takes. Usage: tests/bench/download.sh [TIDEGATE]
#
# The server is `tidegate serve`. curl gets the addresses ready-made, keeps connections, and checks
# nothing; "curl, checked" adds one pass of sha1sum and sha256sum over what it brought, which is
# less than what tidegate does (it also hashes chunks, syncs and notes each file).
set -euo pipefail

program=$(realpath "${1:-target/debug/tidegate}")
work=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server"; fi; rm -rf "$work"' EXIT
port=${PORT:-18530}
export NO_PROXY='*'

# Wall and processor seconds of a command. On a busy machine only the second can be compared.
TIMEFORMAT='%R %U %S'
seconds() {
    local times
    times=$({ time "$@" >"$work/log" 2>&1; } 2>&1) || { cat "$work/log" >&2; return 1; }
    awk '{ printf "%.2f %.2f", $1, $2 + $3 }' <<<"$times"
}

# NAME COUNT MIB: files, their documents, and a list of their addresses.
make() {
    local name=$1 count=$2 size=$3 n
    mkdir -p "$work/$name/source"
    for n in $(seq "$count"); do
        local file="$work/$name/source/$n.cab" id sha1 sha256 upper
        openssl enc -aes-128-ctr -nosalt -pass "pass:$name$n" -in /dev/zero 2>/dev/null |
            head -c "$((size << 20))" >"$file" || true
        sha1=$(openssl dgst -sha1 -binary "$file" | base64)
        sha256=$(openssl dgst -sha256 -binary "$file" | base64)
        id=$(printf '1000000%s-0000-4000-8000-%012d' "${#name}" "$n")
        cat >"$work/$name/source/$n.xml" <<XML
<Update xmlns="http://schemas.microsoft.com/msus/2002/12/Update"><UpdateIdentity UpdateID="$id" RevisionNumber="1" /><Properties DefaultPropertiesLanguage="en" UpdateType="Software" ExplicitlyDeployable="true" CreationDate="2026-01-01T00:00:00Z" /><LocalizedPropertiesCollection><LocalizedProperties><Language>en</Language><Title>$name $n</Title></LocalizedProperties></LocalizedPropertiesCollection><Files><File Digest="$sha1" DigestAlgorithm="SHA1" FileName="$n.cab" Size="$((size << 20))" Modified="2026-01-01T00:00:00Z"><AdditionalDigest Algorithm="SHA256">$sha256</AdditionalDigest></File></Files></Update>
XML
        upper=$(sha1sum "$file" | cut -c1-40 | tr a-f A-F)
        printf 'url = "http://127.0.0.1:%s/Content/%s/%s.cab"\noutput = "%s.cab"\n' \
            "$port" "${upper:38}" "$upper" "$n" >>"$work/$name/urls"
    done
    "$program" --data "$work/$name/up" init >/dev/null
    "$program" --data "$work/$name/up" sync --from "$work/$name/source" >/dev/null 2>&1
    rm -r "$work/$name/source"
}

curl_to() {
    local folder=$1 name=$2
    shift 2
    mkdir "$folder"
    (cd "$folder" && curl -s --fail "$@" -K "$work/$name/urls")
}

curl_checked() {
    curl_to "$@"
    (cd "$1" && sha1sum ./*.cab && sha256sum ./*.cab)
}

# Also notes the memory, if there is a program that tells it.
tidegate_to() {
    local -a measured=()
    : >"$work/resident"
    if [ -x /usr/bin/time ]; then measured=(/usr/bin/time -f %M -o "$work/resident"); fi
    "${measured[@]}" "$program" --data "$1" download --all --reserve 0 --parallel 4
}

# NAME BYTES
measure() {
    local name=$1 bytes=$2 turn
    "$program" --data "$work/$name/up" serve --listen "127.0.0.1:$port" >"$work/serve" 2>&1 &
    server=$!
    until curl -s -o /dev/null "http://127.0.0.1:$port/"; do sleep 0.1; done
    # Each twice, in turns, so that none has the warmer cache.
    for turn in 1 2; do
        "$program" --data "$work/$name/down$turn" init >/dev/null
        "$program" --data "$work/$name/down$turn" sync --from "http://127.0.0.1:$port" --allow-http >/dev/null 2>&1
        local -a ours plain parallel checked
        read -ra plain <<<"$(seconds curl_to "$work/$name/a$turn" "$name")"
        read -ra parallel <<<"$(seconds curl_to "$work/$name/b$turn" "$name" --parallel --parallel-max 4)"
        read -ra checked <<<"$(seconds curl_checked "$work/$name/c$turn" "$name" --parallel --parallel-max 4)"
        read -ra ours <<<"$(seconds tidegate_to "$work/$name/down$turn")"
        rm -r "$work/$name/"[abc]"$turn" "$work/$name/down$turn"
        awk -v name="$name" -v bytes="$bytes" -v ours="${ours[*]}" -v plain="${plain[*]}" \
            -v parallel="${parallel[*]}" -v checked="${checked[*]}" \
            -v resident="$(<"$work/resident")" 'BEGIN {
                split(ours, o); split(plain, s); split(parallel, p); split(checked, c)
                printf "%s: wall s / processor s: tidegate %s / %s (%.0f MiB/s, %d MiB resident), curl %s / %s, curl --parallel %s / %s, the same checked %s / %s; tidegate : curl --parallel %.2f, : checked %.2f (processor %.2f)\n", \
                    name, o[1], o[2], bytes / 1048576 / o[1], resident / 1024, s[1], s[2], p[1], p[2], c[1], c[2], \
                    o[1] / p[1], o[1] / c[1], o[2] / c[2]
            }'
    done
    kill "$server"
    wait "$server" 2>/dev/null || true
    server=
    rm -r "$work/$name"
}

make many 40 8
measure many $((40 * 8 << 20))
make one 1 1024
measure one $((1024 << 20))
