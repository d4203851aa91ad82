// Pages for whoever is not signed in.
import { announce, base, call, explain, Failure, failureNotice, fill, find, notice, onClick, onSubmit, page, passwordFields } from './core.js';

const token = new URLSearchParams(location.search).get('token');
const fragment = new URLSearchParams(location.hash.slice(1));

/** Where to go after a sign-in: a page of ours, or the dashboard. */
function next() {
    const wanted = fragment.get('next') ?? '';
    let url;
    try {
        url = new URL(wanted, location.origin);
    } catch {
        return page('dashboard');
    }
    const ours = wanted.startsWith(`${base}/`) && url.origin === location.origin && url.pathname.startsWith(`${base}/`);
    return ours ? url.pathname + url.hash : page('dashboard');
}

function enter({ user }) {
    announce(user.id);
    location.replace(next());
}

/** A refusal that says the same for every cause, in words that help. */
const refused = (title, text) => (error) => {
    throw error.status === 401 ? new Failure(400, { message: title, details: text }) : error;
};

const PAGES = {
    'sign-in'(form) {
        const space = form.querySelector('.form-notice');
        if (fragment.has('signed-out')) fill(space, notice('good', 'You are signed out.', ''));
        if (fragment.has('changed')) fill(space, notice('good', 'Your new password is set.', 'Sign in with it.'));
        if (fragment.has('deleted')) fill(space, notice('good', 'Your account is deleted.', 'Everything that was in it is gone.'));
        if (fragment.has('everywhere')) fill(space, notice('good', 'You are signed out everywhere.', ''));
        onSubmit(form, async (given) => enter(await call('sign_in', given).catch(refused('that did not match',
            'Check the address and the password. After several wrong ones in a row, signing in pauses for a while.'))));
    },

    'sign-up'(form) {
        let address;
        onSubmit(form, async (given) => {
            address = given.email;
            await call('register', given);
            find('asking').hidden = true;
            find('asked').hidden = false;
            find('asked-address').textContent = address;
            find('asked').querySelector('h1').focus();
        });
        onClick(find('again'), async () => {
            const space = find('asked').querySelector('.form-notice');
            try {
                await call('resend_verification', { email: address });
                fill(space, notice('good', 'Sent again.', 'The newest mail counts.'));
            } catch (error) {
                fill(space, failureNotice(error));
            }
        });
    },

    'verify-email'(form) {
        if (!token) fill(form.querySelector('.form-notice'), notice('warn', 'This address is not complete.', 'Open the link in the mail, or have a new one sent.'));
        onSubmit(form, async ({ password }) => enter(await call('verify_and_sign_in', { token: token ?? '', password }).catch(refused(
            'that did not match', 'Either the password is not the one of the sign-up, or the link is used up or too old.'))));
        const resend = find('resend');
        onSubmit(resend, async (given) => {
            await call('resend_verification', given);
            fill(resend.querySelector('.form-notice'), notice('good', 'If there is a sign-up for this address, a new link is on its way.', ''));
        });
    },

    'forgot-password'(form) {
        onSubmit(form, async (given) => {
            await call('forgot_password', given);
            fill(form.querySelector('.form-notice'), notice('good', 'If there is an account for this address, a link is on its way.', 'It is good for an hour.'));
        });
    },

    'reset-password'(form) {
        if (!token) fill(form.querySelector('.form-notice'), notice('warn', 'This address is not complete.', 'Open the link in the mail, or ask for a new one.'));
        onSubmit(form, async ({ new_password }) => {
            await call('reset_password', { token: token ?? '', new_password }).catch(refused('this link is not good any more', 'It is used up or too old. Ask for a new one.'));
            await call('sign_out');
            location.replace(page('sign-in', '#changed'));
        });
    },

    async 'oauth-callback'() {
        const sent = new URLSearchParams(location.search);
        // used up by one attempt: not to be seen, nor sent again by going back
        history.replaceState(null, '', location.pathname);
        const provider = /([a-z][a-z0-9_]*)$/.exec(location.pathname)?.[1];
        const named = location.pathname.endsWith('oauth-callback') ? {} : { provider };
        const given = Object.fromEntries(['state', 'code', 'iss', 'error'].map((name) => [name, sent.get(name)]).filter(([, value]) => value !== null));
        try {
            const made = await call('complete_connection', { state: '', code: '', ...given, ...named });
            location.replace(page('cloud-storage', `#connected=${encodeURIComponent(made.provider)}`));
        } catch (error) {
            const [title, text] = error.status === 401 || error.code === '28000'
                ? ['You are not signed in.', 'Sign in in this browser, then connect again.'] : explain(error);
            find('title').textContent = 'Not connected';
            fill(find('outcome'), notice('bad', title, text));
            find('on').hidden = false;
        }
    },
};

passwordFields();
const form = find('form');
await PAGES[document.body.dataset.page](form);
document.documentElement.dataset.ready = 'yes';
