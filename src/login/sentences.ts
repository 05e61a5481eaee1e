import type { ErrorCode } from '../model/errors.ts';

export interface Sentence {
  readonly title: string;
  readonly text: string;
}

const NO_ACCESS: Sentence = {
  title: 'You do not have access',
  text: 'You are logged in, but nothing here is open to you. Ask the people who run this service for access.',
};
const ACCOUNT_PROBLEM: Sentence = {
  title: 'Your account could not be set up',
  text: 'You are logged in, but your account here needs the attention of the people who run this service.',
};
const NOT_VERIFIED: Sentence = {
  title: 'Your login could not be verified',
  text: 'The answer of your identity provider did not hold, so nobody was logged in. Please try again.',
};
const SERVICE_DOWN: Sentence = {
  title: 'This takes a moment longer',
  text: 'The service behind this page does not answer right now. Please try again in a minute.',
};
const SERVICE_PROBLEM: Sentence = {
  title: 'The service has a problem',
  text: 'The service behind this page does not accept our calls. The people who run it have to look at this.',
};
const PROFILE_PROBLEM: Sentence = {
  title: 'Something is missing in your profile',
  text: 'Your identity provider did not send everything that an account here needs. Your administrator can add it there.',
};
const GROUPS_PROBLEM: Sentence = {
  title: 'Your groups could not be read',
  text: 'Your identity provider sent your groups in a way that cannot be used safely. Your administrator can correct it there.',
};
const LOGIN_OVER: Sentence = {
  title: 'This login is over',
  text: 'It took too long, was finished before, or began in another browser. Please log in again.',
};
const PROVIDER_PROBLEM: Sentence = {
  title: 'Logging in does not work right now',
  text: 'Your identity provider and this service do not understand each other. The people who run the service have to look at this.',
};

/** What a person reads for a reason code. The administrator's text for the same code is in the error table. */
const SENTENCES: Partial<Record<ErrorCode, Sentence>> = {
  login_required: { title: 'Please log in', text: 'You are not logged in.' },
  login_state_invalid: LOGIN_OVER,
  login_expired: LOGIN_OVER,
  login_ended: LOGIN_OVER,
  login_loop: {
    title: 'Your browser does not keep cookies',
    text: 'We tried several times, and each time your browser came back without the cookie of this site. Please allow cookies for it and try again.',
  },
  too_many_requests: {
    title: 'Too many attempts',
    text: 'From your network there were too many attempts that failed. Please try again in a minute.',
  },
  too_many_at_once: {
    title: 'Too much at once',
    text: 'Very many of your requests are under way already. Please wait until some of them have ended, and try again.',
  },
  break_glass_over: {
    title: 'This link is over',
    text: 'An emergency link works once, and for fifteen minutes. Ask the people who run this service for another one.',
  },
  operator_only: {
    title: 'This page is for operators',
    text: 'You are logged in, but nobody has made you a viewer or an operator of this service.',
  },
  operator_viewer: {
    title: 'You may look, and change nothing',
    text: 'Viewers see everything here. To change something, ask an operator.',
  },
  operator_login_invalid: LOGIN_OVER,
  operator_form_stale: {
    title: 'This form is out of date',
    text: 'Nothing was changed. Go back, reload the page, and try again.',
  },
  login_unknown: { title: 'There is no such login', text: 'The address names a login that is not set up here.' },
  provider_unavailable: {
    title: 'Your identity provider does not answer',
    text: 'Logging in is not possible until it does. Please try again in a minute.',
  },
  provider_refused: {
    title: 'The login was not finished',
    text: 'Your identity provider did not let you in, or you stopped on the way. You can try again.',
  },
  provider_misconfigured: PROVIDER_PROBLEM,
  provider_metadata_invalid: PROVIDER_PROBLEM,
  answer_too_large: PROVIDER_PROBLEM,
  token_invalid: NOT_VERIFIED,
  token_key_unknown: NOT_VERIFIED,
  invalid_token: {
    title: 'The token is not valid',
    text: 'The access token does not hold any more. Please get a new one.',
  },
  insufficient_scope: {
    title: 'The token does not allow this',
    text: 'The access token was not given for this service. Ask for one with the right scope.',
  },
  subject_invalid: NOT_VERIFIED,
  saml_message_invalid: NOT_VERIFIED,
  saml_signature_invalid: NOT_VERIFIED,
  saml_issuer_unknown: NOT_VERIFIED,
  saml_not_for_us: NOT_VERIFIED,
  saml_expired: NOT_VERIFIED,
  saml_replayed: LOGIN_OVER,
  saml_unsolicited: {
    title: 'Please begin here',
    text: 'This login began at your identity provider, which this service does not take. Please log in from here.',
  },
  email_missing: {
    title: 'Your e-mail address is missing',
    text: 'Your identity provider sent no e-mail address, and an account here needs one. Your administrator can add it there.',
  },
  email_invalid: {
    title: 'Your e-mail address cannot be used',
    text: 'Your identity provider sent something that is not one e-mail address. Your administrator can correct it there.',
  },
  email_unverified: {
    title: 'Your e-mail address is not verified',
    text: 'Please verify it with your identity provider, then log in again.',
  },
  attribute_missing: PROFILE_PROBLEM,
  attribute_invalid: PROFILE_PROBLEM,
  claim_not_recorded: PROFILE_PROBLEM,
  profile_incomplete: PROFILE_PROBLEM,
  profile_invalid: PROFILE_PROBLEM,
  user_name_missing: PROFILE_PROBLEM,
  groups_invalid: GROUPS_PROBLEM,
  groups_too_many: GROUPS_PROBLEM,
  groups_overage: GROUPS_PROBLEM,
  groups_unavailable: {
    title: 'Your groups cannot be read right now',
    text: 'You are in so many that they have to be asked for, and nobody answers. Please try again in a minute.',
  },
  denied_by_rule: NO_ACCESS,
  denied_by_default: NO_ACCESS,
  no_access: NO_ACCESS,
  route_forbidden: {
    title: 'This page is not open to you',
    text: 'You are logged in, but this part is for others. Ask the people who run this service if you need it.',
  },
  person_disabled: {
    title: 'Your access has ended',
    text: 'Your access was switched off. Ask the people who run this service if you think that is wrong.',
  },
  person_left: {
    title: 'Your access has ended',
    text: 'The directory that this service goes by does not list you any more. Ask the people who run it if you think that is wrong.',
  },
  account_missing: {
    title: 'You have no account here',
    text: 'Accounts are not made at login on this service. Ask the people who run it for one.',
  },
  account_ambiguous: {
    title: 'Several accounts fit you',
    text: 'You are logged in, but more than one account here has your address. Give the request below to the people who run this service: they can find out which one is yours.',
  },
  account_taken: {
    title: 'Your address is known here already',
    text: 'You are logged in, but the account with your address came by another way. If it is yours, log in as you did before; where you cannot, give the request below to the people who run this service: they can join the two.',
  },
  account_protected: ACCOUNT_PROBLEM,
  account_privileged: ACCOUNT_PROBLEM,
  user_name_taken: ACCOUNT_PROBLEM,
  privileged_needs_exact: ACCOUNT_PROBLEM,
  role_missing: ACCOUNT_PROBLEM,
  group_missing: ACCOUNT_PROBLEM,
  permission_missing: ACCOUNT_PROBLEM,
  entitlement_conflict: ACCOUNT_PROBLEM,
  entitlement_invalid: ACCOUNT_PROBLEM,
  entitlement_missing: ACCOUNT_PROBLEM,
  entitlements_too_many: ACCOUNT_PROBLEM,
  account_disabled: ACCOUNT_PROBLEM,
  target_conflict: ACCOUNT_PROBLEM,
  target_pending: {
    title: 'Your account is being prepared',
    text: 'That takes a moment. Please try again in a minute.',
  },
  lease_lost: SERVICE_DOWN,
  target_unavailable: SERVICE_DOWN,
  state_unavailable: SERVICE_DOWN,
  session_store_unavailable: SERVICE_DOWN,
  upstream_unavailable: SERVICE_DOWN,
  upstream_timeout: SERVICE_DOWN,
  target_refused: SERVICE_PROBLEM,
  target_answer_invalid: SERVICE_PROBLEM,
  upstream_invalid: SERVICE_PROBLEM,
  request_invalid: {
    title: 'This request cannot be served',
    text: 'Its address or its headers are not in a form that is accepted here.',
  },
  header_too_large: {
    title: 'This request is too large',
    text: 'Its headers are too long. Clearing the cookies of this site often helps.',
  },
  request_timeout: {
    title: 'That took too long',
    text: 'Your browser did not send the whole request in time. Please try again.',
  },
  route_unknown: { title: 'There is nothing here', text: 'The address does not belong to any page of this service.' },
  host_unknown: { title: 'There is nothing here', text: 'No service is set up under this host name.' },
  not_found: { title: 'There is nothing here', text: 'The address does not belong to any page of this service.' },
  method_not_allowed: { title: 'That is not possible here', text: 'This address cannot be used in this way.' },
  origin_not_allowed: {
    title: 'That came from somewhere else',
    text: 'The request did not come from a page of this site, so nothing was done.',
  },
};

const FALLBACK: Sentence = {
  title: 'Something went wrong',
  text: 'That should not have happened. Please try again; if it stays, tell the people who run this service.',
};

export function sentenceFor(code: ErrorCode): Sentence {
  return SENTENCES[code] ?? FALLBACK;
}
