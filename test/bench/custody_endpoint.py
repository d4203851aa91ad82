"""A provider that answers after so many milliseconds.

    custody_endpoint.py        prints its port; ends when its input does

POST /token and /other/token: a new pair of tokens. GET /drive/v3/files: a page of a hundred
files; /drive/v3/files/large: a file of 100 MB. /silent/…: nothing, ever. GET /set?delay=50 sets the milliseconds.
By asyncio and nothing else, since what the endpoint costs falls to both sides.
"""
import asyncio
import json
import secrets
import sys

FILES = json.dumps({'files': [
    {'id': f'file{i}', 'name': f'A file with the number {i}.txt', 'mimeType': 'text/plain', 'size': '12345',
     'modifiedTime': '2026-01-02T03:04:05.678Z', 'parents': ['root'], 'webViewLink': f'https://drive.example/file{i}',
     'md5Checksum': f'{i:032x}', 'trashed': False} for i in range(100)]}).encode()
LARGE = json.dumps({'id': 'large', 'name': 'large.bin', 'mimeType': 'application/octet-stream', 'size': str(100 << 20), 'parents': ['root']}).encode()
delay = 0.05


def token():
    return json.dumps({'access_token': 'ya29.' + secrets.token_urlsafe(1200), 'refresh_token': '1//' + secrets.token_urlsafe(120),
                       'expires_in': 3599, 'token_type': 'Bearer', 'scope': 'files'}).encode()


class Endpoint(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.data = b''

    def data_received(self, data):
        self.data += data
        head, found, rest = self.data.partition(b'\r\n\r\n')
        if not found:
            return
        length = 0
        for line in head.split(b'\r\n')[1:]:
            name, _, value = line.partition(b':')
            if name.lower() == b'content-length':
                length = int(value)
        if len(rest) >= length:
            self.data = b''
            self.answer(head.split(b' ', 2)[1].decode())

    def answer(self, path):
        global delay
        if path.startswith('/set?delay='):
            delay = float(path.partition('=')[2]) / 1000
            self.send(b'{}')
        elif path.startswith('/silent/'):
            pass
        else:
            body = token()
            if path.startswith('/drive/v3/files/large'):
                body = bytes(100 << 20) if 'alt=media' in path else LARGE
            elif path.startswith('/drive/'):
                body = FILES
            asyncio.get_running_loop().call_later(delay, self.send, body)

    def send(self, body):
        if not self.transport.is_closing():
            self.transport.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n' % len(body) + body)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Endpoint, '127.0.0.1', 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
