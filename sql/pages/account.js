import {
    ago, announce, badge, call, confirmThen, el, Failure, fill, find, list, makeDialog, notice, onSubmit, page, passwordField, passwordFields,
    show, start,
} from './core.js';

/** A browser and system, as far as they say so. */
function device(agent) {
    if (!agent) return 'Unknown device';
    const pick = (list) => list.find(([pattern]) => pattern.test(agent))?.[1];
    const browser = pick([[/Edg\//, 'Edge'], [/OPR\//, 'Opera'], [/Firefox\//, 'Firefox'], [/Chrome\//, 'Chrome'], [/Safari\//, 'Safari'], [/curl\//, 'curl']]);
    const system = pick([[/Windows/, 'Windows'], [/Android/, 'Android'], [/iPhone|iPad/, 'iOS'], [/Mac OS X/, 'macOS'], [/Linux/, 'Linux']]);
    return [browser, system].filter(Boolean).join(' on ') || agent.slice(0, 60);
}

const EVENTS = {
    login: 'Sign-in', logout: 'Sign-out', logout_everywhere: 'Sign-out everywhere', verify_email: 'Address confirmed', change_password: 'Password changed',
    reset_password: 'Password chosen anew', forgot_password: 'Link for a new password', complete_connection: 'Cloud storage connected', disconnect: 'Cloud storage disconnected',
    refresh: 'Session renewed', refresh_token_reused: 'Session ended: an old key of it was used again', register: 'Sign-up', resend_verification: 'Link of the sign-up sent again',
    connection_ended: 'Cloud storage: the access has ended', grant_tenant: 'An analyst may read your content', revoke_tenant: 'An analyst may read your content no longer',
    activate_account: 'Account opened by the operator', deactivate_account: 'Account closed by the operator', delete_account: 'Account deleted',
};

const fact = (name, value) => el('div', {}, el('dt', { class: 'small soft' }, name), el('dd', {}, value));

const refreshSessions = () => show(find('sessions'), async () => {
    const sessions = await call('my_sessions');
    return el('ul', { class: 'list' }, sessions.map((s) => el('li', {}, el('div', { class: 'what' },
        el('span', { class: 'title' }, device(s.user_agent)),
        el('span', { class: 'more' }, s.ip_address ? `${s.ip_address} · ` : null, 'since ', ago(s.created_at))),
    s.current ? badge('This one', 'good dot') : null)));
});

const refreshLog = () => show(find('log'), async () => {
    const rows = await list('my_audit_log', { order: 'created_at.desc,id', limit: 12 });
    return rows.length === 0 ? el('p', { class: 'soft' }, 'Nothing yet.') : el('ul', { class: 'list' }, rows.map((row) => el('li', {},
        el('div', { class: 'what' }, el('span', { class: 'title' }, EVENTS[row.event_type] ?? row.event_type.replaceAll('_', ' ')), el('span', { class: 'more' }, ago(row.created_at))),
        row.event_status === 'success' ? null : badge(row.event_status === 'failure' ? 'Refused' : row.event_status, 'warn'))));
});

async function leave(fragment) {
    announce(null);
    // the cookies are of no use any more
    await call('sign_out').catch(() => {});
    location.replace(page('sign-in', fragment));
}

function deleteAccount() {
    const { dialog, form } = makeDialog('Delete your account?', {}, [
        el('p', {}, 'Everything in it goes for good, and your cloud storage is disconnected. Enter your password to confirm.'),
        el('div', { class: 'field' }, passwordField('Password', 'password', { autocomplete: 'current-password' })),
    ], [
        el('button', { type: 'button', class: 'button', click: () => dialog.close() }, 'Keep my account'),
        el('button', { class: 'button danger' }, 'Delete everything'),
    ]);
    onSubmit(form, async ({ password }) => {
        await call('delete_account', { password }).catch((error) => {
            throw error.code === 'PT403' ? new Failure(400, { message: 'that is not your password' }) : error;
        });
        await leave('#deleted');
    });
    dialog.showModal();
}

start(async (user) => {
    passwordFields(find('password'));
    fill(find('who'), fact('Name', user.name), fact('E-mail', user.email), fact('Organisation', user.organization_name ?? '–'), fact('Plan', user.plan ? user.plan[0].toUpperCase() + user.plan.slice(1) : '–'));
    onSubmit(find('password'), async (given) => {
        await call('change_password', given).catch((error) => {
            throw error.code === 'PT403' ? new Failure(400, { message: 'the password now is not right' }) : error;
        });
        find('password').reset();
        fill(find('password').querySelector('.form-notice'), notice('good', 'Your password is changed.', 'All other sessions have ended.'));
        await Promise.all([refreshSessions(), refreshLog()]);
    });
    find('everywhere').addEventListener('click', () => confirmThen('Sign out everywhere?', 'All of your sessions end at once, this one, too.', 'Sign out everywhere', async () => {
        await call('logout_everywhere');
        await leave('#everywhere');
    }));
    find('delete').addEventListener('click', deleteAccount);
    await Promise.all([refreshSessions(), refreshLog()]);
});
