#!/bin/sh
# Makes what the containers must be told in secret, once: sh deploy/make-secrets.sh [FOLDER]
# The folder is closed to others (0700); the files in it are readable, because containers run as users of their own.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-"$here/secrets"}
umask 077
mkdir -p "$folder/keys/verifying"
cd "$folder"

keep() { # NAME: standard input becomes the file, unless it is there already
    if [ -e "$1" ]; then cat > /dev/null; else cat > "$1.new" && mv "$1.new" "$1" && echo "made $1"; fi
    chmod 0644 "$1"
}
word() { openssl rand -hex 24; }

word | keep mongo_root_password
openssl rand -base64 512 | keep mongo_keyfile
for user in web scoring notifier reports commands; do
    word | keep "mongo_password_$user"
    printf 'mongodb://%s:%s@mongo:27017/?replicaSet=rs0&authSource=admin\n' \
        "$user" "$(cat "mongo_password_$user")" | keep "mongo_url_$user"
done
word | keep redis_password
printf 'redis://:%s@redis:6379/0\n' "$(cat redis_password)" | keep redis_url
printf 'requirepass %s\nappendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\n' \
    "$(cat redis_password)" | keep redis.conf
word | keep grafana_password
: | keep smtp_password

if [ ! -e keys/signing.pem ]; then
    openssl genpkey -algorithm ed25519 -out keys/signing.pem
    openssl pkey -in keys/signing.pem -pubout -out keys/verifying/first.pem
    echo "made keys/"
fi
chmod 0755 keys keys/verifying
chmod 0644 keys/*.pem keys/verifying/*.pem
chmod 0700 .
