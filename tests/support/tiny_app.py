"""A program to keep alive: says what it is told to, answers /readyz, ends at SIGTERM or never, may have a helper."""

import http.server
import os
import signal
import subprocess
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())


if __name__ == "__main__":
    if "stubborn" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "helped" in sys.argv:
        helper = subprocess.Popen(["/bin/sleep", "600"])  # holds the same output
        sys.stdout.write(f"helper {helper.pid}\n")
    sys.stdout.write(f"tiny app {os.getpid()}\n")
    sys.stdout.flush()
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
