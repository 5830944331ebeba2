#!/usr/bin/env python3
"""A web server on loopback that misbehaves on request, for tests of downloads.

usage: file_server.py FOLDER [--token T] [--no-range] [--cut BYTES] [--busy N]

Serves FOLDER/OWNER/NAME/resolve/main/PATH. Prints its port, then appends "STATUS FIRST_BYTE PATH" to
FOLDER/log for each request. --token: 401 without that bearer token. --no-range: ignores ranges. --cut: breaks each
connection after so many bytes. --busy: answers the first N requests with 503. Whatever these say, /to/URL redirects
to URL, /endless sends zeros without saying how many, and /silent takes the request and says nothing.
"""
import argparse
import http.server
import pathlib
import re
import time

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--token")
parser.add_argument("--no-range", action="store_true")
parser.add_argument("--cut", type=int)
parser.add_argument("--busy", type=int, default=0)
args = parser.parse_args()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path[len("/to/") :])
            self.end_headers()
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(bytes(65536))
        elif self.path == "/silent":
            time.sleep(60)
        else:
            self.send_file()
        self.close_connection = True

    def send_file(self):
        first = 0
        path = args.folder / self.path.lstrip("/")
        if match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            first = 0 if args.no_range else int(match[1])
        status = 206 if first else 200
        if args.busy > 0:
            args.busy -= 1
            status = 503
        elif args.token and self.headers.get("Authorization") != f"Bearer {args.token}":
            status = 401
        elif not path.is_file():
            status = 404
        elif first and first >= path.stat().st_size:
            status = 416
        with open(args.folder / "log", "a") as log:
            log.write(f"{status} {first} {self.path}\n")
        body = path.read_bytes()[first:] if status < 300 else b"an error page, not the file"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{first + len(body)}")
        self.end_headers()
        self.wfile.write(body if args.cut is None else body[: args.cut])

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
