#!/usr/bin/env bash
# check_image.sh: build docker/Dockerfile step by step and run its commands, on a Debian machine without a Docker engine.
#
# The base image is replaced by a fresh Debian 12 (debootstrap) under the same name; every step of the Dockerfile is
# then its own, carried out by buildah in a chroot. As root:
#
#   apt-get install debootstrap buildah
#   DATABASE_URL=postgres://... REDIS_URL=redis://... docker/check_image.sh
#
# Without the two addresses only what needs no server is run. BUILD_VOLUMES names files and folders of this machine that
# the build may read, where packages come through a mirror or a proxy: BUILD_VOLUMES="/etc/pip.conf /etc/ssl/certs".
# KEEP=1 leaves the base image and the layers for the next run.
set -euo pipefail
cd "$(dirname "$0")/.."

export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
base=docker.io/library/python:3.11-slim-bookworm
image=localhost/trading-platform:check
port=${CHECK_PORT:-8108}
work=$(mktemp -d)
containers=()
clean_up() {
    for container in "${containers[@]}"; do buildah rm "$container" >/dev/null || true; done
    [ -n "${KEEP-}" ] || buildah rmi "$image" >/dev/null 2>&1 || true
    [ -n "${KEEP-}" ] || buildah rmi "$base" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean_up EXIT

step() { printf '%5ss  %s\n' "$SECONDS" "$*"; }
fail() {
    printf 'failed: %s\n' "$*" >&2
    exit 1
}

volumes=()
for path in ${BUILD_VOLUMES-}; do volumes+=(--volume "$path:$path:ro"); done

if ! buildah inspect "$base" >/dev/null 2>&1; then
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$work/root" \
        >"$work/debootstrap.log" 2>&1 || { tail "$work/debootstrap.log" >&2; exit 1; }
    ln -s /usr/bin/python3 "$work/root/usr/local/bin/python"
    container=$(buildah from scratch)
    buildah copy --quiet "$container" "$work/root" / >/dev/null
    buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    buildah commit --quiet --rm "$container" "$base" >/dev/null
    step "a clean Debian stands in for the base image"
fi

buildah bud --quiet ${KEEP:+--layers} --pull-never --isolation chroot "${volumes[@]}" --file docker/Dockerfile --tag "$image" . \
    >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" >&2; fail "the Dockerfile did not build"; }
step "every step of the Dockerfile has run"

container=$(buildah from --pull-never "$image")
containers+=("$container")
mount=$(buildah mount "$container")
step "the image holds $(du -sm "$mount" | cut -f1) MB"

[ "$(buildah inspect --type image --format '{{.OCIv1.Config.User}}' "$image")" = 10001:10001 ] ||
    fail "the image does not run as 10001:10001"
run() { buildah run --user 10001:10001 "${environment[@]}" "$container" -- "$@"; }
environment=()
[ "$(run id -u)" = 10001 ] || fail "a command did not run as 10001"
run sh -c '! touch /app/x 2>/dev/null' || fail "the release can be written to"
for leftover in .git .env .local tests; do
    [ ! -e "$mount/app/$leftover" ] || fail "the image holds $leftover"
done
[ -e "$mount/app/staticfiles/staticfiles.json" ] || fail "the image has no static files"
run docker/entrypoint nonsense 2>/dev/null && fail "an unknown command was accepted"
run docker/health || fail "the health check fails where there is nothing to check"
refusal=$(run timeout 60 env "PORT=$port" docker/entrypoint web 2>&1) && fail "an empty environment was accepted"
[[ $refusal = *"DATABASE_URL: is required"* ]] || fail "an empty environment was refused with: $refusal"
step "user, rights, contents, refusals and health check are right"

if [ -z "${DATABASE_URL-}" ] || [ -z "${REDIS_URL-}" ]; then
    step "done, without the commands that need DATABASE_URL and REDIS_URL"
    exit 0
fi

while IFS= read -r line; do environment+=(--env "$line"); done < <(run docker/entrypoint secrets)
environment+=(
    --env "DATABASE_URL=$DATABASE_URL" --env "REDIS_URL=$REDIS_URL" --env "PORT=$port"
    --env SITE_URL=https://platform.example.com --env ALLOWED_HOSTS=platform.example.com
    --env WORKER_METRICS_PORT=$((port + 2))
    --env FLOWER_BASIC_AUTH=operator:correct-horse-battery
)
run env PROMETHEUS_MULTIPROC_DIR=/tmp/none docker/entrypoint migrate >"$work/migrate.log" 2>&1 ||
    { tail "$work/migrate.log" >&2; fail "migrate"; }
step "migrate has brought the database up to date"

port_of() { [ "$1" = simulator ] && echo $((port + 1)) || echo "$port"; }

# start NAME COMMAND...: run one command of the image in the background, in a folder of its own for /tmp.
pids=()
start() {
    local name=$1
    shift
    run env "PORT=$(port_of "$name")" "TMPDIR=/tmp/$name" "PROMETHEUS_MULTIPROC_DIR=/tmp/$name/figures" \
        sh -c "mkdir -p /tmp/$name && exec docker/entrypoint \"\$@\"" sh "$@" >"$work/$name.log" 2>&1 &
    pids+=($!)
}
stop_all() {
    for pid in "${pids[@]}"; do pkill -TERM -P "$pid" || true; done
    wait || true
}
trap 'stop_all; clean_up' EXIT
healthy() {
    for _ in $(seq 60); do
        # Before its role is written down, nothing runs that could be healthy.
        [ -e "$mount/tmp/$1/platform-role" ] &&
            run env "PORT=$(port_of "$1")" "TMPDIR=/tmp/$1" docker/health 2>/dev/null && return 0
        sleep 1
    done
    cat "$work/$1.log" >&2
    fail "$1 is not healthy"
}
for name in web simulator; do start "$name" "$name"; done
start worker worker
start beat beat
for name in web simulator worker; do
    healthy "$name"
    step "$name is healthy"
done
for _ in $(seq 60); do
    curl --silent --fail "http://127.0.0.1:$port/readyz" >"$work/ready.json" && break
    sleep 1
done
grep -q '"ready"' "$work/ready.json" || { curl -s "http://127.0.0.1:$port/readyz" >&2; fail "not ready"; }
step "/readyz: $(cat "$work/ready.json")"
curl --silent --fail --header 'X-Forwarded-Proto: https' "http://127.0.0.1:$port/metrics" |
    grep -q platform_heartbeat_age_seconds || fail "/metrics"
curl --silent --fail "http://127.0.0.1:$((port + 2))/metrics" | grep -q platform_task_seconds_count ||
    fail "the worker's /metrics"
step "web and worker tell their figures"
start flower flower
healthy flower
[ "$(curl --silent --output /dev/null --write-out '%{http_code}' http://127.0.0.1:5555/flower/)" = 401 ] ||
    fail "flower lets anybody in"
step "flower asks for its password"
step "done"
