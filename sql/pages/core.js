// What all pages share: the API, the session, and the making of elements.
//
// Text from people, files and servers only ever becomes a text node. Nothing
// here or in the other scripts makes markup of it, and the policy that comes
// with each page (require-trusted-types-for) lets no script do so.

const root = document.documentElement;
export const base = root.dataset.base;
const api = root.dataset.api;

/** The address of another page. */
export const page = (name, fragment = '') => `${base}/${name}${fragment}`;

// ---- elements ---------------------------------------------------------------

/** An element; in attributes, a function is a listener, true and false a mark. */
export function el(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes ?? {})) {
        if (value === null || value === undefined || value === false) continue;
        if (typeof value === 'function') made.addEventListener(key, value);
        else if (key === 'class') made.className = value;
        else if (key === 'value') made.value = value;
        else made.setAttribute(key, value === true ? '' : value);
    }
    made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return made;
}

export const find = (id) => document.getElementById(id);

export function fill(container, ...children) {
    container.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return container;
}

const SHAPES = {
    file: ['M5 2.5h6.5L15 6v11.5H5z', 'M11 2.5V6.5h4'],
    folder: ['M2.5 5.5a1 1 0 0 1 1-1H8l1.5 2h7a1 1 0 0 1 1 1V15a1 1 0 0 1-1 1h-13a1 1 0 0 1-1-1z'],
    cloud: ['M6 16a4 4 0 0 1-.6-7.95 5 5 0 0 1 9.6 1.2A3.4 3.4 0 0 1 14.5 16z'],
    plus: ['M10 4v12M4 10h12'],
    close: ['M5 5l10 10M15 5 5 15'],
    good: ['M4 10.5 8.5 15 16 6'],
    warn: ['M10 3 18 17H2z', 'M10 8v4M10 14.5v.1'],
    info: ['M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15z', 'M10 9v5M10 6.2v.1'],
    pen: ['M4 16l.8-3.5L13.5 3.8l2.7 2.7L7.5 15.2z'],
    spark: ['M10 2.5 11.9 8 17.5 10l-5.6 2L10 17.5 8.1 12 2.5 10l5.6-2z'],
    calendar: ['M4.5 4.5h11A1.5 1.5 0 0 1 17 6v9.5a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 3 15.5V6a1.5 1.5 0 0 1 1.5-1.5z', 'M3 8.5h14M7 2.5v4M13 2.5v4'],
    layers: ['M10 3 3 6.5 10 10l7-3.5z', 'm3 10 7 3.5 7-3.5M3 13.5 10 17l7-3.5'],
    compass: ['M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14z', 'm13 7-2 4-4 2 2-4z'],
    page: ['M4 3.5h8.5L16 7v9.5H4z', 'M7 9h6M7 12h6'],
    left: ['M12 4 6 10l6 6'],
    right: ['m8 4 6 6-6 6'],
    drive: ['M7.5 3h5l5 8.7L15 16.5H5L2.5 11.7z', 'M7.5 3l5 8.7h5M12.5 3 7 12.5l-2 4'],
    box: ['M10 2.5 17 6v8l-7 3.5L3 14V6z', 'M3 6l7 3.5L17 6M10 9.5v8'],
};

export function icon(name) {
    const ns = 'http://www.w3.org/2000/svg';
    const svg = document.createElementNS(ns, 'svg');
    const attributes = { viewBox: '0 0 20 20', fill: 'none', stroke: 'currentColor', 'stroke-width': '1.5', 'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true' };
    for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
    for (const d of SHAPES[name]) {
        const path = document.createElementNS(ns, 'path');
        path.setAttribute('d', d);
        svg.append(path);
    }
    return svg;
}

/** A link to somewhere else, only if it is one to a website. */
export function outside(address, label) {
    let url;
    try {
        url = new URL(address);
    } catch {
        return null;
    }
    return ['https:', 'http:'].includes(url.protocol)
        ? el('a', { href: url.href, target: '_blank', rel: 'noopener noreferrer' }, label)
        : null;
}

// ---- words ------------------------------------------------------------------

const withTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });

export const moment = (text) => el('time', { datetime: text }, withTime.format(new Date(text)));
export const date = (text) => el('time', { datetime: text }, day.format(new Date(text)));

/** "3 minutes ago", up to a week; then the date. */
export function ago(text) {
    const seconds = Math.round((Date.now() - new Date(text)) / 1000);
    const words = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
    const said = seconds < 45 ? 'just now'
        : seconds < 3600 ? words.format(-Math.max(1, Math.round(seconds / 60)), 'minute')
        : seconds < 86400 ? words.format(-Math.round(seconds / 3600), 'hour')
        : seconds < 604800 ? words.format(-Math.round(seconds / 86400), 'day')
        : day.format(new Date(text));
    return el('time', { datetime: text, title: withTime.format(new Date(text)) }, said);
}

export function size(bytes) {
    if (bytes === null || bytes === undefined) return '';
    const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
    let value = Number(bytes);
    let i = 0;
    for (; value >= 1000 && i < units.length - 1; i++) value /= 1000;
    return `${value < 10 && i > 0 ? value.toFixed(1) : Math.round(value)} ${units[i]}`;
}

export const TYPES = { blog: 'Blog post', carousel: 'Carousel', social: 'Social post', video: 'Video script' };
export const STATUSES = { draft: 'Draft', scheduled: 'Scheduled', published: 'Published', archived: 'Archived', cancelled: 'Cancelled', failed: 'Failed' };
export const CATEGORIES = {
    guidelines: 'Guidelines', voice_samples: 'Voice samples', logos: 'Logos', target_audience_insights: 'Audience insights',
    community_videographer: 'Videographer', community_client: 'Client',
};
export const PROVIDERS = { google_drive: 'Google Drive', onedrive: 'OneDrive', dropbox: 'Dropbox' };
export const providerName = (name) => PROVIDERS[name] ?? String(name).replaceAll('_', ' ');
const TONES = { published: 'good', scheduled: 'accent', failed: 'bad', cancelled: '', archived: '', draft: 'warn' };

export const badge = (label, tone = '') => el('span', { class: `badge ${tone}` }, label);
export const statusBadge = (status) => badge(STATUSES[status] ?? status, `dot ${TONES[status] ?? ''}`);

// ---- the API ----------------------------------------------------------------

/** What the server refused, or that it could not be reached. */
export class Failure extends Error {
    constructor(status, body = {}) {
        super(body.message ?? 'no answer');
        Object.assign(this, { status, code: body.code ?? null, details: body.details ?? null, hint: body.hint ?? null });
    }
}

export const sentence = (text) => {
    const trimmed = String(text).trim();
    if (trimmed === '') return '';
    const begun = trimmed[0].toUpperCase() + trimmed.slice(1);
    return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
};

/** An error in two parts: what happened, and what can be done. */
export function explain(error) {
    if (!(error instanceof Failure)) {
        console.error(error);
        return ['Something went wrong on this page.', 'Load the page again. If it happens again, tell whoever runs this site.'];
    }
    if (error.status === 0) return ['The server cannot be reached.', 'Check your connection, then try again. Nothing that you entered is lost.'];
    if (error.status === 401) return ['You are not signed in any more.', 'Sign in again to go on.'];
    if (error.code === 'PT429') return [sentence(error.message), error.hint ?? 'That was often enough for now. Try again later.'];
    if (error.message === 'no brand strategy yet') return [sentence(error.message), 'Have it worked out from your material, or write it down yourself.'];
    if (error.code === 'PT503') return [sentence(error.message), error.hint ?? 'Try again in a moment.'];
    if (error.code === '55000') return [sentence(error.message), 'Whoever runs this site has to see to it. Nothing that you entered is lost.'];
    if (error.code === '23514') return ['One of the values is not allowed here.', 'Shorten long texts, and choose from the lists.'];
    if (error.code === '23505') return ['There is one already.', 'Load the page again to see it.'];
    if (error.code === '22008') return ['That is no date to plan for.', 'Choose one that is still to come, within the next hundred years.'];
    if (error.code === '22P02' || error.code === '22007') return ['One of the values cannot be read.', 'Check numbers and dates.'];
    if (error.status === 404 && error.code === 'PGRST202') return ['This installation cannot do that yet.', 'Tell whoever runs it.'];
    return [sentence(error.message), [error.details, error.hint].filter(Boolean).map(sentence).join(' ')];
}

let refreshing;
let asking;
let renewals = 0;

/** A new access token in the cookie; whether that went well. At most one at a time. */
function refresh() {
    refreshing ??= fetch(`${api}/rpc/refresh_session`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' })
        .then((answer) => {
            if (answer.ok) {
                renewals++;
                return true;
            }
            if (answer.status === 401) return false;
            throw new Failure(answer.status, { message: 'the session could not be renewed', code: 'PT503' });
        }, () => { throw new Failure(0); })
        .finally(() => { refreshing = undefined; });
    return refreshing;
}

// Their 401 is about what they were told, not about the session.
const OWN_REFUSALS = ['/rpc/sign_in', '/rpc/verify_and_sign_in', '/rpc/sign_out'];

/** One request. A 401 renews the session once; where that is over, the page asks to sign in again. */
async function request(path, options, again = true) {
    let answer;
    const before = renewals;
    try {
        answer = await fetch(api + path, { cache: 'no-store', ...options });
    } catch {
        throw new Failure(0);
    }
    if (answer.status === 401 && again && !OWN_REFUSALS.includes(path)) {
        // renewed while this one was under way: it was sent with the cookie of before
        if (before !== renewals) return request(path, options);
        if (await refresh() || !state.user || await signInAgain()) return request(path, options, false);
    }
    const text = await answer.text();
    let body = null;
    try {
        body = text === '' ? null : JSON.parse(text);
    } catch {
        body = { message: 'the server’s answer cannot be read' };
        if (answer.ok) throw new Failure(answer.status, body);
    }
    if (!answer.ok) throw new Failure(answer.status, body ?? {});
    return body;
}

const JSON_BODY = { 'Content-Type': 'application/json' };

function query(parameters = {}) {
    const list = new URLSearchParams();
    for (const [key, value] of Object.entries(parameters)) {
        for (const one of [value].flat()) if (one !== undefined && one !== null) list.append(key, one);
    }
    const text = list.toString();
    return text === '' ? '' : `?${text}`;
}

/** A function of the API; a filter, an order or a limit goes with it as parameters. */
export const call = (name, given = {}, parameters = {}) =>
    request(`/rpc/${name}${query(parameters)}`, { method: 'POST', headers: JSON_BODY, body: JSON.stringify(given) });

export const list = (view, parameters) => request(`/${view}${query(parameters)}`, {});

export const add = async (view, row) =>
    (await request(`/${view}`, { method: 'POST', headers: { ...JSON_BODY, Prefer: 'return=representation' }, body: JSON.stringify(row) }))[0];

/** The changed row; undefined where there is none like that any more. */
export const change = async (view, parameters, row) =>
    (await request(`/${view}${query(parameters)}`, { method: 'PATCH', headers: { ...JSON_BODY, Prefer: 'return=representation' }, body: JSON.stringify(row) }))[0];

export const remove = (view, parameters) => request(`/${view}${query(parameters)}`, { method: 'DELETE' });

/** Sends a file; progress(0…1) is called as it goes. */
export async function upload(file, category, progress, again = true) {
    const { status, text } = await new Promise((resolve, reject) => {
        const sending = new XMLHttpRequest();
        sending.open('POST', `${api}/rpc/upload_asset`);
        sending.setRequestHeader('Content-Type', 'application/octet-stream');
        sending.setRequestHeader('X-Filename', encodeURIComponent(file.name));
        sending.setRequestHeader('X-Category', category);
        sending.upload.onprogress = (event) => { if (event.lengthComputable) progress(event.loaded / event.total); };
        sending.onload = () => resolve({ status: sending.status, text: sending.responseText });
        sending.onerror = () => reject(new Failure(0));
        sending.send(file);
    });
    if (status === 401 && again && (await refresh() || await signInAgain())) return upload(file, category, progress, false);
    let body;
    try {
        body = JSON.parse(text);
    } catch {
        body = { message: status === 413 ? 'the file is too large' : 'the server’s answer cannot be read' };
    }
    if (status >= 300) throw new Failure(status, body);
    return body;
}

// ---- notices ----------------------------------------------------------------

const SIGNS = { good: 'good', bad: 'warn', warn: 'warn', info: 'info' };

export function notice(tone, title, text, ...more) {
    return el('div', { class: `notice ${tone}`, role: tone === 'bad' ? 'alert' : null },
        icon(SIGNS[tone]), el('div', { class: 'says' }, el('strong', {}, title), text ? el('span', {}, text) : null, more));
}

export const failureNotice = (error, ...more) => notice('bad', ...explain(error), ...more);

/** A word in the corner that goes by itself. */
export function toast(text) {
    const made = el('div', { class: 'toast' }, el('span', {}, text),
        el('button', { type: 'button', 'aria-label': 'Dismiss', click: () => made.remove() }, icon('close')));
    find('toasts').append(made);
    setTimeout(() => made.remove(), 8000);
}

export const waiting = () => el('div', { class: 'wait', 'aria-hidden': 'true' }, el('span'), el('span'), el('span'));

export function empty(sign, title, text, ...actions) {
    return el('div', { class: 'empty' }, icon(sign), el('p', { class: 'title' }, title), el('p', {}, text),
        actions.length > 0 ? el('div', { class: 'actions' }, actions) : null);
}

/** Fills a container with what load() makes: a wait before, an error with another try in its place. */
export async function show(container, load) {
    if (container.childElementCount === 0) fill(container, waiting());
    container.setAttribute('aria-busy', 'true');
    try {
        fill(container, await load());
    } catch (error) {
        fill(container, failureNotice(error,
            el('div', { class: 'actions' }, el('button', { type: 'button', class: 'button little', click: () => { fill(container); show(container, load); } }, 'Try again'))));
    }
    container.removeAttribute('aria-busy');
}

// ---- forms and dialogs ------------------------------------------------------

const WRONG = [
    ['valueMissing', 'Please fill this in.'],
    ['typeMismatch', 'This does not look right.'],
    ['tooShort', 'This is too short.'],
    ['rangeUnderflow', 'This is too early.'],
    ['rangeOverflow', 'This is too late.'],
];

function checkFields(form) {
    let first = null;
    for (const field of form.elements) {
        if (field.willValidate === undefined || field.type === 'submit') continue;
        const near = field.closest('.field') ?? field.parentElement;
        near.querySelector('.field-error')?.remove();
        field.removeAttribute('aria-invalid');
        if (field.willValidate && !field.validity.valid) {
            const [, text] = WRONG.find(([name]) => field.validity[name]) ?? [null, 'This is not right.'];
            field.setAttribute('aria-invalid', 'true');
            near.append(el('span', { class: 'hint field-error' }, text));
            first ??= field;
        }
    }
    first?.focus();
    return first === null;
}

/** What a form says, under the names of its fields; empty texts are null. */
export const values = (form) => Object.fromEntries([...new FormData(form)].map(([name, value]) =>
    [name, typeof value === 'string' && value.trim() === '' ? null : value]));

/** Calls work(values) when the form is sent, with its button busy and an error above the fields. */
export function onSubmit(form, work) {
    form.addEventListener('submit', async (event) => {
        event.preventDefault();
        const space = form.querySelector('.form-notice');
        const button = event.submitter ?? form.querySelector('button.primary, button:not([type="button"])');
        if (button?.getAttribute('aria-busy') === 'true') return;
        fill(space);
        if (!checkFields(form)) return;
        await busy(button, async () => {
            try {
                await work(values(form), event.submitter);
            } catch (error) {
                fill(space, failureNotice(error));
                space.scrollIntoView({ block: 'nearest' });
            }
        });
    });
}

/** Shows that a button is at work, and takes no second click while it is. */
export async function busy(button, work) {
    button?.setAttribute('aria-busy', 'true');
    button?.setAttribute('aria-disabled', 'true');
    try {
        return await work();
    } finally {
        button?.removeAttribute('aria-busy');
        button?.removeAttribute('aria-disabled');
    }
}

/** A button's click, with an error where page notices are. */
export function onClick(button, work) {
    button.addEventListener('click', () => {
        if (button.getAttribute('aria-busy') === 'true') return;
        busy(button, work).catch((error) => tell(failureNotice(error)));
    });
    return button;
}

/** A notice at the top of the page, in the place of the last. */
export function tell(...notices) {
    fill(find('notices'), notices);
    find('notices').scrollIntoView({ block: 'nearest' });
}

export function openDialog(dialog) {
    dialog.querySelectorAll('.form-notice').forEach((space) => fill(space));
    dialog.querySelectorAll('.field-error').forEach((text) => text.remove());
    dialog.querySelectorAll('[aria-invalid]').forEach((field) => field.removeAttribute('aria-invalid'));
    dialog.showModal();
}

let count = 0;

/**
 * A dialog made here: { dialog, form, leave, mayGo }. It goes when it is closed. keeps: what
 * was typed is not thrown away without a question, neither by Escape nor by leave();
 * mayGo() asks it.
 */
export function makeDialog(title, { wide = false, keeps = false } = {}, body = [], buttons = []) {
    const id = `dialog-${++count}`;
    const space = el('div', { class: 'form-notice', 'aria-live': 'assertive' });
    const form = el('form', { method: 'post', novalidate: true },
        el('div', { class: 'dialog-head' }, el('h2', { id, tabindex: '-1' }, title),
            el('button', { type: 'button', class: 'button quiet little icon', 'aria-label': 'Close', click: () => leave() }, icon('close'))),
        el('div', { class: 'dialog-body', tabindex: '-1' }, space, body),
        el('div', { class: 'dialog-foot' }, buttons));
    const dialog = el('dialog', { class: wide ? 'wide' : '', 'aria-labelledby': id }, form);
    // Where nothing asks for the focus, the title has it: it says what this is.
    if (!dialog.querySelector('[autofocus]')) dialog.querySelector('h2').autofocus = true;
    dialog.addEventListener('close', () => dialog.remove());
    document.body.append(dialog);
    const said = () => JSON.stringify([...new FormData(form)]);
    const before = said();
    const mayGo = () => !keeps || said() === before || confirm('Close without saving?');
    const leave = () => { if (mayGo()) dialog.close(); };
    dialog.addEventListener('cancel', (event) => { if (!mayGo()) event.preventDefault(); });
    return { dialog, form, leave, mayGo };
}

/** Asks before something that cannot be taken back; work() is done in the dialog. */
export function confirmThen(title, text, label, work, { danger = true } = {}) {
    const { dialog, form } = makeDialog(title, {}, el('p', {}, text), [
        el('button', { type: 'button', class: 'button', autofocus: true, click: () => dialog.close() }, 'Keep it as it is'),
        el('button', { class: danger ? 'button danger' : 'button primary' }, label),
    ]);
    onSubmit(form, async () => {
        await work();
        dialog.close();
    });
    dialog.showModal();
}

export function field(label, control, { hint, optional = false, extra = '' } = {}) {
    const id = hint ? `hint-${++count}` : null;
    if (id) control.setAttribute('aria-describedby', id);
    return el('label', { class: `field ${extra}` }, el('span', { class: 'label' }, label, optional ? el('span', { class: 'optional' }, ' (optional)') : null),
        control, hint ? el('span', { class: 'hint', id }, hint) : null);
}

export const input = (name, value, attributes = {}) => el('input', { class: 'input', name, value: value ?? '', ...attributes });
export const area = (name, value, attributes = {}) => el('textarea', { class: 'input', name, value: value ?? '', ...attributes });

export function select(name, options, value, attributes = {}) {
    const made = el('select', { class: 'input', name, ...attributes },
        Object.entries(options).map(([key, label]) => el('option', { value: key }, label)));
    made.value = value ?? Object.keys(options)[0];
    return made;
}

/** A button beside a password that shows it. */
export function passwordFields(within = document) {
    for (const holder of within.querySelectorAll('.password')) {
        const field = holder.querySelector('input');
        const word = el('span', {}, 'Show');
        holder.append(el('button', {
            type: 'button',
            click() {
                const shown = field.type === 'text';
                field.type = shown ? 'password' : 'text';
                word.textContent = shown ? 'Show' : 'Hide';
                field.focus();
            },
        }, word, el('span', { class: 'hidden-text' }, ' the password')));
    }
}

export function passwordField(label, name, attributes = {}) {
    const id = `password-${++count}`;
    const made = el('div', { class: 'field password' }, el('label', { class: 'label', for: id }, label),
        input(name, '', { id, type: 'password', required: true, ...attributes }));
    passwordFields(el('div', {}, made));
    return made;
}

// ---- the session ------------------------------------------------------------

export const state = { user: null };
const others = new BroadcastChannel('orla-session');

/** Tells the other tabs of this browser who is signed in here now. */
export const announce = (id) => others.postMessage(id);

const toSignIn = () => location.replace(page('sign-in', `#next=${encodeURIComponent(location.pathname + location.hash)}`));

/** The session ended while the page was open: what was typed stays, and goes on after a sign-in. */
function signInAgain() {
    asking ??= new Promise((resolve) => {
        let done = false;
        const { dialog, form } = makeDialog('Sign in again', {}, [
            el('p', {}, 'Your session is over. What you typed on this page is still here.'),
            el('p', { class: 'soft' }, state.user.email),
            passwordField('Password', 'password', { autocomplete: 'current-password', autofocus: true }),
        ], [
            el('button', { type: 'button', class: 'button', click: toSignIn }, 'Leave this page'),
            el('button', { class: 'button primary' }, 'Sign in'),
        ]);
        onSubmit(form, async ({ password }) => {
            await call('sign_in', { email: state.user.email, password }).catch((error) => {
                throw error.status === 401 ? new Failure(400, { message: 'that did not match', details: 'Check the password.' }) : error;
            });
            done = true;
            dialog.close();
        });
        dialog.addEventListener('close', () => {
            asking = undefined;
            resolve(done);
        });
        dialog.showModal();
    });
    return asking;
}

export async function signOut() {
    await call('sign_out');
    announce(null);
    location.assign(page('sign-in', '#signed-out'));
}

export const initials = (name) => String(name).trim().split(/\s+/).slice(0, 2).map((word) => [...word][0] ?? '').join('').toUpperCase();

/** Begins a page of somebody signed in: who it is, and then work(user). */
export async function start(work) {
    await begin(work);
    root.dataset.ready = 'yes';
}

async function begin(work) {
    const side = find('side');
    const menu = find('menu');
    menu.addEventListener('click', () => menu.setAttribute('aria-expanded', String(side.classList.toggle('open'))));
    find('sign-out').addEventListener('click', () => signOut().catch((error) => tell(failureNotice(error))));
    // A page that comes out of the browser's memory may be somebody else's.
    addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });
    try {
        state.user = await call('me');
    } catch (error) {
        if (error.status === 401 || error.code === '28000') toSignIn();
        else tell(failureNotice(error));
        return;
    }
    others.addEventListener('message', ({ data }) => { if (data !== state.user.id) location.reload(); });
    find('me-name').textContent = state.user.name;
    find('me-email').textContent = state.user.email;
    find('me-initials').textContent = initials(state.user.name);
    await work(state.user);
}

// ---- jobs -------------------------------------------------------------------

export const JOB_KINDS = {
    generate_content: 'Writing', analyze_brand: 'Analysis of your brand', analyze_competitor: 'Analysis of a competitor',
    next_keyword: 'Next keyword', market_research: 'Market research',
};
export const JOB_STATUSES = { queued: 'Waiting', running: 'Running', succeeded: 'Done', failed: 'Failed', cancelled: 'Cancelled' };
export const JOB_TONES = { queued: '', running: 'accent', succeeded: 'good', failed: 'bad', cancelled: '' };
export const isOver = (status) => !['queued', 'running'].includes(status);

/** Shows a job's progress in a container until it is over; then done(job). */
export async function followJob(container, id, title, done) {
    const bar = el('progress', { max: '100', value: '0', 'aria-label': title });
    const word = el('span', { class: 'soft' }, 'Waiting for its turn');
    const stop = el('button', { type: 'button', class: 'button little' }, 'Cancel');
    onClick(stop, () => call('cancel_job', { job_id: id }));
    fill(container, el('section', { class: 'panel stack-tight', 'aria-label': title },
        el('div', { class: 'row-between' }, el('strong', {}, title), el('span', { class: 'row' }, word, stop)), bar));
    for (let pause = 700; ; pause = Math.min(pause * 1.1, 3000)) {
        let job;
        try {
            job = await call('job', { job_id: id });
        } catch (error) {
            fill(container, failureNotice(error));
            return;
        }
        bar.value = job.progress ?? 0;
        word.textContent = job.status === 'running' ? `${job.progress ?? 0} %` : job.error ? sentence(job.error) : JOB_STATUSES[job.status];
        if (isOver(job.status)) {
            if (job.status === 'succeeded') fill(container);
            else if (job.status === 'cancelled') fill(container, notice('info', `${title}: cancelled.`, ''));
            else fill(container, notice('bad', `${title} did not work.`, sentence(job.error ?? '')));
            await done?.(job);
            return;
        }
        await new Promise((resolve) => { setTimeout(resolve, document.hidden ? 5000 : pause); });
    }
}

/** A result that is no row of its own: whatever it has, as headings and lists. */
function tree(value) {
    if (Array.isArray(value)) return el('ul', { class: 'bullets' }, value.map((one) => el('li', {}, tree(one))));
    if (value !== null && typeof value === 'object') {
        return el('div', { class: 'stack-tight' }, Object.entries(value).filter(([key]) => key !== '').map(([key, one]) => el('div', {}, el('h3', {}, key[0].toUpperCase() + key.slice(1).replaceAll('_', ' ')), tree(one))));
    }
    return el('span', { class: 'plain-text' }, String(value ?? ''));
}

/** What a job of these kinds found, in a dialog; from a keyword there is a way on to a draft. */
export function showResult({ kind, result: { generated, ...found } }) {
    const draft = new URLSearchParams({ write: '', topic: String(found.title ?? '').slice(0, 300), keyword: String(found.keyword ?? '').slice(0, 100) });
    const { dialog } = makeDialog(JOB_KINDS[kind] ?? kind, { wide: true }, [generated?.notice ? notice('info', generated.notice) : null, tree(found)], [
        el('button', { type: 'button', class: 'button', click: () => dialog.close() }, 'Close'),
        kind === 'next_keyword' ? el('a', { class: 'button primary', href: page('library', `#${draft}`) }, 'Create a draft') : null,
    ].filter(Boolean));
    dialog.showModal();
}
