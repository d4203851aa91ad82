// The other side of Http.pm: servers that answer in every way, a proxy, a
// mail server.  On 127.0.0.1, on ports that are free, until standard input ends.
//
//   node Http.mjs DIRECTORY          with the certificates that are there
//
// Prints one line of JSON: the port of each.
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import zlib from 'node:zlib';

const dir = process.argv[2];
const pair = (name) => ({ key: fs.readFileSync(`${dir}/${name}.key`), cert: fs.readFileSync(`${dir}/${name}.crt`) });
const ports = {};
const seen = [];                        // requests, connections to the proxy, mails
const served = new WeakMap();           // requests on a connection
const zeros = zlib.gzipSync(Buffer.alloc(64 * 1024 * 1024));

const answers = {
    '/echo': (q, s, body) => {
        s.setHeader('Content-Type', 'application/json');
        s.setHeader('X-Many', ['one', 'two']);
        s.end(JSON.stringify({ method: q.method, url: q.url, headers: q.headers, body }));
    },
    '/hang': () => {},
    '/slow': (q, s) => setTimeout(() => s.end('slow'), 300),
    '/drip': (q, s) => {
        s.writeHead(200);
        const timer = setInterval(() => s.write('x'), 50);
        s.on('close', () => clearInterval(timer));
    },
    '/redirect': (q, s) => { s.writeHead(302, { Location: `http://127.0.0.1:${ports.http}/echo` }); s.end('elsewhere'); },
    '/gzip': (q, s) => { s.setHeader('Content-Encoding', 'gzip'); s.end(zlib.gzipSync('squeezed')); },
    '/deflate': (q, s) => { s.setHeader('Content-Encoding', 'deflate'); s.end(zlib.deflateSync('squeezed')); },
    '/twice': (q, s) => { s.setHeader('Content-Encoding', 'gzip, gzip'); s.end(zlib.gzipSync(zlib.gzipSync('squeezed'))); },
    '/bomb': (q, s) => { s.setHeader('Content-Encoding', 'gzip'); s.end(zeros); },
    '/badgzip': (q, s) => { s.setHeader('Content-Encoding', 'gzip'); s.end('not gzip at all'); },
    '/chunked': (q, s) => { s.write('a'); setTimeout(() => { s.write('b'); s.addTrailers({ 'X-Trailer': 'late' }); s.end('c'); }, 20); },
    '/empty': (q, s) => s.end(),
    '/204': (q, s) => { s.writeHead(204); s.end(); },
    '/500': (q, s) => { s.writeHead(500, { 'Content-Type': 'text/html' }); s.end('<h1>Oops</h1>'); },
    '/cut': (q, s) => { s.writeHead(200, { 'Content-Length': 100 }); s.write('ten bytes.'); setTimeout(() => s.destroy(), 20); },
    '/cutchunk': (q, s) => { s.write('some'); setTimeout(() => s.destroy(), 20); },
    '/close': (q) => q.socket.destroy(),
    '/big': (q, s) => s.end(Buffer.alloc(10 * 1024 * 1024, 'x')),
    '/endless': (q, s) => {
        const chunk = Buffer.alloc(65536, 'x');
        const more = () => { while (!s.destroyed && s.write(chunk)); };
        s.on('drain', more);
        more();
    },
    '/liar': (q, s) => { s.writeHead(200, { 'Content-Length': 10 * 1024 * 1024 * 1024 }); s.write('x'); },
    '/latin1': (q, s) => { s.setHeader('X-Name', 'M\u00fcller'); s.end(Buffer.from('M\u00fcller', 'latin1')); },
    '/nul': (q, s) => s.end(Buffer.from('a\0b')),
    '/cookie': (q, s) => { s.setHeader('Set-Cookie', 'a=b; Path=/'); s.end(); },
    '/early': (q, s) => { s.writeEarlyHints({ link: '</x>; rel=preload' }); s.setHeader('X-Final', 'yes'); s.end('ok'); },
    '/heavy': (q, s) => { for (let i = 0; i < 30; i++) s.setHeader(`X-${i}`, 'x'.repeat(10000)); s.end(); },
    // The second request of a connection is taken and never answered.
    '/die': (q, s) => served.get(q.socket) > 1 ? q.socket.destroy() : s.end('alive'),
    '/seen': (q, s) => { s.end(JSON.stringify(seen)); seen.length = 0; },
};

function handle(name) {
    return (q, s) => {
        let body = '';
        const path = q.url.split('?')[0];
        served.set(q.socket, (served.get(q.socket) ?? 0) + 1);
        if (path !== '/seen') seen.push({ at: name, path, method: q.method, authorization: q.headers.authorization ?? null });
        q.setEncoding('utf8');
        q.on('error', () => {}).on('data', (data) => { body += data; });
        q.on('end', () => (answers[path] ?? ((_, s) => { s.writeHead(404); s.end(); }))(q, s, body));
        s.on('error', () => {});
    };
}

function listen(name, server) {
    server.on('error', () => {}).on('clientError', (e, socket) => socket.destroy());
    server.on('tlsClientError', () => {}).on('sessionError', () => {});
    return new Promise((done) => server.listen(0, '127.0.0.1', () => { ports[name] = server.address().port; done(); }));
}

// What is sent to whoever connects, as it is.
const raw = (text) => net.createServer((socket) => {
    socket.on('error', () => {});
    if (text === undefined) return;
    socket.once('data', () => socket.end(text, 'latin1'));
});

// ---- a proxy ------------------------------------------------------------------
// Leads to the server with the good certificate, whatever host is asked for.
function proxy(password) {
    const server = http.createServer((q, s) => { seen.push({ at: 'proxy', plain: q.url }); s.writeHead(400); s.end(); });
    server.on('connect', (q, socket, head) => {
        seen.push({ at: 'proxy', connect: q.url, headers: q.headers });
        socket.on('error', () => {});
        if (password && q.headers['proxy-authorization'] !== `Basic ${Buffer.from(password).toString('base64')}`) {
            socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n');
        } else if (q.url.startsWith('closed.')) {
            socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
        } else if (!q.url.startsWith('hanging.')) {
            const other = net.connect(ports.good, '127.0.0.1', () => {
                socket.write('HTTP/1.1 200 OK\r\n\r\n');
                other.write(head);
                socket.pipe(other).pipe(socket);
            });
            other.on('error', () => socket.destroy());
        }
    });
    return server;
}

// ---- a mail server --------------------------------------------------------------
// Recipients decide: unknown@, later@, silent@ (no answer at all).  Never
// answers QUIT: whoever waits for that waits for long.
function mail({ starttls, implicit, password, silent }) {
    const talk = (socket, secure) => {
        let buffer = '', data = null, envelope = {}, authenticating = false, user = false;
        const say = (line) => { if (!socket.destroyed) socket.write(`${line}\r\n`); };
        const command = (line) => {
            if (authenticating) {
                authenticating = false;
                user = line === Buffer.from(`\0mailer\0${password}`).toString('base64');
                return say(user ? '235 2.7.0 welcome' : `535 5.7.8 no, not with ${line}`);
            }
            const [verb] = line.toUpperCase().split(/[ :]/);
            if (verb === 'EHLO') {
                if (starttls && !secure) { say('250-mail.example'); say('250 STARTTLS'); }
                else if (password) { say('250-mail.example'); say('250 AUTH PLAIN LOGIN'); }
                else say('250 mail.example');
            } else if (verb === 'STARTTLS' && starttls) {
                say('220 2.0.0 go on');
                socket.removeAllListeners('data');
                const upgraded = new tls.TLSSocket(socket, { isServer: true, secureContext: tls.createSecureContext(pair('good')) });
                upgraded.on('error', () => {});
                talk(upgraded, true);            } else if (line.toUpperCase() === 'AUTH PLAIN') { authenticating = true; say('334 '); }
            else if (verb === 'AUTH') say('504 5.5.4 not this way');
 else if (verb === 'MAIL') { envelope.from = line; envelope.to = []; say(password && !user ? '530 5.7.0 who are you' : '250 2.1.0 ok'); }
            else if (verb === 'RCPT') {
                if (line.includes('silent@')) return;
                if (line.includes('unknown@')) say(`550 5.1.1 no such user: ${line}`);
                else if (line.includes('later@')) say('450 4.2.1 try later');
                else { envelope.to.push(line); say('250 2.1.5 ok'); }
            } else if (verb === 'DATA') { data = ''; say('354 go ahead'); }
            else if (verb === 'QUIT') { seen.push({ at: 'mail', quit: true }); }
            else say('502 5.5.2 what');
        };
        socket.on('error', () => {});
        socket.on('data', (chunk) => {
            buffer += chunk.toString('latin1');
            for (;;) {
                if (data !== null) {
                    const end = `\r\n${buffer}`.indexOf('\r\n.\r\n');
                    if (end < 0) return;
                    data = buffer.slice(0, end);
                    buffer = buffer.slice(end + 3);
                    seen.push({ at: 'mail', ...envelope, secure, data });
                    data = null;
                    say('250 2.0.0 taken');
                    continue;
                }
                const end = buffer.indexOf('\r\n');
                if (end < 0) return;
                const line = buffer.slice(0, end);
                buffer = buffer.slice(end + 2);
                command(line);
            }
        });
    };
    if (silent) return net.createServer((socket) => socket.on('error', () => {}));
    if (implicit) return tls.createServer(pair('good'), (socket) => { socket.write('220 mail.example\r\n'); talk(socket, true); });
    return net.createServer((socket) => { socket.write('220 mail.example\r\n'); talk(socket, false); });
}

await listen('http', http.createServer({ keepAliveTimeout: 60000 }, handle('http')));
for (const name of ['good', 'expired', 'wrong', 'selfsigned', 'stranger'])
    await listen(name, https.createServer({ ...pair(name), keepAliveTimeout: 60000 }, handle(name)));
await listen('old', https.createServer({ ...pair('good'), maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }, handle('old')));
await listen('h2', http2.createSecureServer({ ...pair('good'), allowHTTP1: true }, handle('h2')));
await listen('garbage', raw('hello, this is no HTTP\r\n\r\n'));
await listen('blank', raw(''));
await listen('badlength', raw('HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nabc'));
await listen('badheader', raw('HTTP/1.1 200 OK\r\nX\x01-Y: z\r\nX-Z: a\x01b\r\n folded\r\nContent-Length: 2\r\n\r\nok'));
await listen('badline', raw('HTTP/1.1 200 OK\r\nX-Odd\r\nContent-Length: 2\r\n\r\nok'));
await listen('dying', http.createServer({ keepAliveTimeout: 60000 }, handle('dying')));
await listen('badmany', raw(`HTTP/1.1 200 OK\r\n${Array.from({ length: 40000 }, (_, i) => `${i.toString(36)}:\r\n`).join('')}Content-Length: 2\r\n\r\nok`));
await listen('dumb', raw());
await listen('proxy', proxy());
await listen('lockedproxy', proxy('user:p@ss'));
await listen('smtp', mail({ starttls: true }));
await listen('smtpplain', mail({}));
await listen('smtps', mail({ implicit: true }));
await listen('smtpauth', mail({ starttls: true, password: 'pass word' }));
await listen('smtpsilent', mail({ silent: true }));
process.stdin.resume().on('end', () => process.exit(0));
console.log(JSON.stringify(ports));
