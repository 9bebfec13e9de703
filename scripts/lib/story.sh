# SPDX-License-Identifier: Apache-2.0
# A story told step by step: who asks, what must come, what came; sourced by
# demo. Needs $url and $dir; counts in $number and $failed.

# ask KEY METHOD PATH [JSON [HEADER...]]: sets status and body
ask() {
  local key=$1 method=$2 path=$3 json=${4-} header out
  local args=(-s --max-time 10 -X "$method" -w '\n%{http_code}')
  shift $(($# < 4 ? $# : 4))
  [ -z "$key" ] || args+=(-H "X-API-Key: $key")
  [ -z "$json" ] || args+=(-H 'Content-Type: application/json' -d "$json")
  for header in "$@"; do args+=(-H "$header"); done
  out=$(curl "${args[@]}" "$url$path")
  status=${out##*$'\n'}
  body=${out%$'\n'*}
}

# What of an answer is worth a line: ids and metadata, not the times.
short() {
  tr '\n' ' ' <<<"$body" | sed -E 's/"(created_at|updated_at)":"[^"]*",//g
    s/,"status":"[a-z]+"//g; s/,"values":null//g; s/^ +//' | cut -c1-200
}

# step TITLE REQUEST EXPECTED STATUS PATTERN...: judges the last answer. All
# PATTERNs, the shell's, must match the body; one with a leading ! must not.
step() {
  local title=$1 request=$2 expected=$3 want=$4 pattern word=ok
  shift 4
  number=$((number + 1))
  [ "$status" = "$want" ] || word=WRONG
  for pattern in "$@"; do
    # shellcheck disable=SC2053
    case $pattern in
      !*) [[ $body != ${pattern#!} ]] || word=WRONG ;;
      *) [[ $body == $pattern ]] || word=WRONG ;;
    esac
  done
  [ $word = ok ] || failed=$((failed + 1))
  printf '%2d. %s\n    request   %s\n    expected  %s\n' $number "$title" \
    "$request" "$expected"
  printf '    got       %s %s\n    %s\n' "$status" "$(short)" $word
}

# until_status WANT KEY METHOD PATH [JSON]: asks until that status comes, 5 s
until_status() {
  local want=$1 try
  shift
  for try in $(seq 50); do
    ask "$@"
    [ "$status" != "$want" ] || return 0
    sleep 0.1
  done
}

# Editors that matter put the new file in place in one step.
write_policy() {
  cat >"$dir/policy.new" && chmod 644 "$dir/policy.new" &&
    mv "$dir/policy.new" "$dir/policy.lua"
}

# until_logged PATTERN FROM: the error log says so beyond its first FROM lines
until_logged() {
  local try
  for try in $(seq 50); do
    ask "$alice" POST /threads/search '{}'
    tail -n "+$(($2 + 1))" "$dir/logs/error.log" | grep -q "$1" && return 0
    sleep 0.1
  done
  return 1
}

# Of both stories: needs $alice, her key, and $thread, which is hers.
story_of_revocation() {
  local id=${alice#sk-agentauth-}
  id=${id:0:10}
  ask "$alice" GET "/threads/$thread"
  step "Alice's key works" 'GET of her thread' 200 200
  agentauth key revoke "$id" >/dev/null || echo "key revoke failed"
  ask "$alice" GET "/threads/$thread"
  step 'A revoked key is refused at once' \
    "agentauth key revoke $id, and the same GET" 401 401
}
