# Runs the benchmark, and writes its exit code where the sidecar waits for it. The shell is the
# container's first process: it passes on the signal that ends the pod.
"$@" & benchmark=$!
trap 'kill -TERM "$benchmark" 2>/dev/null' TERM INT
wait "$benchmark"; code=$?
# A signal ends the wait before the benchmark ends.
while kill -0 "$benchmark" 2>/dev/null; do wait "$benchmark"; code=$?; done
echo "$code" > "$MARKER_FILE.new" && mv "$MARKER_FILE.new" "$MARKER_FILE"
exit "$code"
