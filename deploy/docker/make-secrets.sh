#!/bin/sh
# Makes every secret that docker-compose.yml names: a random password in a file of its own. What
# exists stays. The folder is closed to other users; the files are readable, because inside a
# container another user reads the one file that is mounted there.
set -eu
cd "$(dirname "$0")/../.."
umask 077
mkdir -p deploy/docker/secrets
for file in $(sed -n 's|^ *file: \./\(deploy/docker/secrets/[a-z_]*\)$|\1|p' docker-compose.yml); do
    if [ ! -s "$file" ]; then
        head -c 24 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n' >"$file.new"
        chmod 444 "$file.new"
        mv "$file.new" "$file"
    fi
done
echo "The secrets are in deploy/docker/secrets."
