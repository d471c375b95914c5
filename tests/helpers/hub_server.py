"""A Hugging Face hub on this machine: repositories in memory, the real one's headers, and faults by path."""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 4096
"""Files of at least so many bytes have a SHA-256, as those in LFS."""


class Hub:
    """``repos`` maps repository -> path -> content; ``faults`` maps a path to a status, "break" or "corrupt"."""

    def __init__(self):
        self.repos: dict[str, dict[str, bytes]] = {}
        self.faults: dict[str, object] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.closed = False
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                hub.answer(self)

            do_GET = do_POST = do_HEAD

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.closed = True
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        if self.closed:  # of a connection that was kept open
            request.close_connection = True
            return None
        path = request.path.partition("?")[0]
        self.asked.append((request.command, path, request.headers.get("Range")))
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if found := re.fullmatch(r"/([\w.-]+/[\w.-]+)/resolve/main/(.+)", path):
            return self._resolve(request, *found.groups())
        if found := re.fullmatch(r"/api/models/([\w.-]+/[\w.-]+)/tree/main", path):
            return self._tree(request, found[1])
        if path == "/api/validate-yaml":
            return _json(request, {"errors": [], "warnings": []})
        if path == "/api/repos/create":
            given = json.loads(body)
            name = f"{given.get('organization') or 'me'}/{given['name']}"
            self.repos.setdefault(name, {})
            return _json(request, {"url": f"{self.url}/{name}", "id": name})
        if found := re.fullmatch(r"/api/models/([\w.-]+/[\w.-]+)/preupload/main", path):
            files = json.loads(body)["files"]
            return _json(request, {"files": [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None} for f in files
            ]})  # fmt: skip
        if found := re.fullmatch(r"/api/models/([\w.-]+/[\w.-]+)/commit/main", path):
            for line in body.splitlines():
                item = json.loads(line)
                if item["key"] == "file":
                    self.repos[found[1]][item["value"]["path"]] = base64.b64decode(item["value"]["content"])
            return _json(
                request, {"commitUrl": f"{self.url}/{found[1]}/commit/{COMMIT}", "commitOid": COMMIT}
            )
        return _refuse(request, 404, "RepoNotFound" if path.startswith("/api/models") else None)

    def _tree(self, request, repo):
        if repo not in self.repos:
            return _refuse(request, 401, "RepoNotFound")
        files = self.repos[repo].items()
        return _json(request, [
            {"type": "file", "path": path, "size": len(content), "oid": git_sha(content)} for path, content in files
        ])  # fmt: skip

    def _resolve(self, request, repo, path):
        fault = self.faults.get(path)
        if repo not in self.repos:
            return _refuse(request, 401, "RepoNotFound")
        if isinstance(fault, int):
            return _refuse(request, fault, None)
        if fault == "gated":
            return _refuse(request, 403, "GatedRepo")
        if path not in self.repos[repo]:
            return _refuse(request, 404, "EntryNotFound")
        content = self.repos[repo][path]
        large = len(content) >= LARGE
        etag = hashlib.sha256(content).hexdigest() if large else git_sha(content)
        start = int(re.fullmatch(r"bytes=(\d+)-.*", request.headers.get("Range", "bytes=0-"))[1])
        request.send_response(206 if start else 200)
        request.send_header("X-Repo-Commit", COMMIT)
        request.send_header("ETag", f'"{etag}"')
        request.send_header("Accept-Ranges", "bytes")
        if large:
            request.send_header("X-Linked-Etag", f'"{etag}"')
            request.send_header("X-Linked-Size", str(len(content)))
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        if request.command == "HEAD":
            return None
        if fault == "break":  # half of what is left, then the connection is closed
            content = content[: start + (len(content) - start) // 2]
        if fault == "corrupt":
            content = content[:-1] + bytes([content[-1] ^ 1])
        request.wfile.write(content[start:])
        request.close_connection = fault == "break"
        return None


def git_sha(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _json(request, value):
    body = json.dumps(value).encode()
    request.send_response(200)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def _refuse(request, status, code):
    request.send_response(status)
    if code:
        request.send_header("X-Error-Code", code)
    request.send_header("Content-Length", "0")
    request.end_headers()
