# SPDX-License-Identifier: Apache-2.0
# Steps with a name, a time, a log and numbers; sourced by test.
# Needs $logs, a folder; it also holds the numbers, so that steps may run in
# the background.

# tally PASSED FAILED SKIPPED: called by a step that counts for itself
tally() {
  echo "$1 $2 $3" >"$tally_file"
}

# step NAME COMMAND...: one line of outcome; a step that does not count for
# itself is one test, and exit code 77 means skipped
step() {
  local name=$1 start=$SECONDS code passed failed skipped word=ok
  local log=$logs/$name.log
  shift
  (tally_file=$logs/$name.tally; "$@") >"$log" 2>&1 </dev/null
  code=$?
  if [ -e "$logs/$name.tally" ]; then
    read -r passed failed skipped <"$logs/$name.tally"
    [ "$code" = 0 ] || [ "$failed" -gt 0 ] || failed=1
  else
    passed=0 failed=0 skipped=0
    case $code in
      0) passed=1 ;;
      77) skipped=1 ;;
      *) failed=1 ;;
    esac
  fi
  echo "$passed $failed $skipped" >"$logs/$name.tally"
  [ "$failed" = 0 ] || word=FAILED
  {
    printf '%-18s %-6s %4ds   %d passed, %d failed, %d skipped\n' \
      "$name" $word $((SECONDS - start)) "$passed" "$failed" "$skipped"
    [ "$failed" = 0 ] || said_of_failure "$log" | sed 's/^/    | /'
  } >"$logs/$name.line"
  cat "$logs/$name.line"
  [ "$failed" = 0 ]
}

# said_of_failure LOG: of TAP each test that failed with its first words, of
# anything else the end
said_of_failure() {
  if grep -qE '^ *not ok ' "$1"; then
    awk '/^ *not ok / { name = $0; next }
      /failureType: .subtestsFailed/ { name = "" }
      /^ *error: / && name != "" { print name; name = ""; left = 5 }
      left > 0 { print; left-- }' "$1" | cut -c 1-200 | head -n 120
  else
    grep -vE '^ok |^PASS|^ +ok ' "$1" | tail -n 40
  fi
}

# total FILE...: the numbers of all parts; a part without numbers did not run
total() {
  local name p f s passed=0 failed=0 skipped=0
  for name in "$@"; do
    if [ -e "$logs/$name.tally" ]; then
      read -r p f s <"$logs/$name.tally"
    else
      printf '%-18s did not run\n' "$name"
      p=0 f=1 s=0
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  done
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ]
}

# count_cmocka DIR: the tests of `make check` in DIR. A program that ends
# badly without saying so is one failure; one that is not cmocka's is one test.
count_cmocka() {
  local trs log p f s passed=0 failed=0 skipped=0
  while read -r trs; do
    log=${trs%.trs}.log
    p=$(cmocka_number PASSED "$log")
    f=$(cmocka_number FAILED "$log")
    s=$(cmocka_number SKIPPED "$log")
    case $(sed -n 's/^:test-result: //p' "$trs") in
      PASS) [ $((p + f + s)) -gt 0 ] || p=1 ;;
      SKIP) [ "$s" -gt 0 ] || s=1 ;;
      *) [ "$f" -gt 0 ] || f=1 ;;
    esac
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  done < <(find "$1" -name '*.trs')
  tally $passed $failed $skipped
  [ $((passed + failed)) -gt 0 ]
}

cmocka_number() {
  sed -nE "s/^\[ *$1 *\] (.*: )?([0-9]+) test\(s\).*/\2/p" "$2" |
    awk '{ n += $1 } END { print n + 0 }'
}

# count_tap FILE...: the closing numbers of `node --test`
count_tap() {
  local p f s
  p=$(tap_number pass "$@")
  f=$(($(tap_number fail "$@") + $(tap_number cancelled "$@")))
  s=$(($(tap_number skipped "$@") + $(tap_number todo "$@")))
  tally "$p" "$f" "$s"
  [ $((p + f)) -gt 0 ]
}

tap_number() {
  local word=$1
  shift
  cat "$@" | awk -v word="$word" \
    '$1 == "#" && $2 == word && NF == 3 { n += $3 } END { print n + 0 }'
}

# count_unittest TEXT: what Python's unittest says in the end
count_unittest() {
  local ran bad skipped
  ran=$(sed -nE 's/^Ran ([0-9]+) tests?.*/\1/p' <<<"$1")
  bad=$(grep -oE '(failures|errors)=[0-9]+' <<<"$1" |
    awk -F= '{ n += $2 } END { print n + 0 }')
  skipped=$(sed -nE 's/.*skipped=([0-9]+).*/\1/p' <<<"$1")
  [ "${ran:-0}" -gt 0 ] || return 1
  tally $((ran - bad - ${skipped:-0})) "$bad" "${skipped:-0}"
}
