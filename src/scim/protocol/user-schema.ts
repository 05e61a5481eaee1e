import { USER } from '../../ops/scim/urns.ts';
import { type Attribute, attribute, byName, MAX_KEY_CHARACTERS, type Schema } from './attribute.ts';

interface Plural {
  readonly value: Attribute;
  readonly types?: readonly string[];
}

/** The sub-attributes that multi-valued attributes have by default (RFC 7643 §2.4). */
function plural(name: string, description: string, { value, types }: Plural): Attribute {
  const type = attribute(
    'type',
    'A label for what the value is for.',
    types === undefined ? {} : { canonicalValues: types },
  );
  return attribute(name, description, {
    type: 'complex',
    multiValued: true,
    subAttributes: [
      value,
      attribute('display', 'A name for people to read.'),
      type,
      attribute('primary', 'Whether it is the preferred value; true for one at most.', { type: 'boolean' }),
    ],
  });
}

const name = attribute('name', 'The components of the name.', {
  type: 'complex',
  subAttributes: [
    attribute('formatted', 'The full name, formatted for display.'),
    attribute('familyName', 'The family name, or last name.'),
    attribute('givenName', 'The given name, or first name.'),
    attribute('middleName', 'The middle names.'),
    attribute('honorificPrefix', 'The honorific prefixes, or title.'),
    attribute('honorificSuffix', 'The honorific suffixes.'),
  ],
});

const addresses = attribute('addresses', 'Postal addresses.', {
  type: 'complex',
  multiValued: true,
  subAttributes: [
    attribute('formatted', 'The full address, formatted for display.'),
    attribute('streetAddress', 'Street, house number, post office box.'),
    attribute('locality', 'The city.'),
    attribute('region', 'The state or region.'),
    attribute('postalCode', 'The postal code.'),
    attribute('country', 'The country, by ISO 3166-1 alpha-2.'),
    attribute('type', 'A label for what the address is for.', { canonicalValues: ['work', 'home', 'other'] }),
    attribute('primary', 'Whether it is the preferred address; true for one at most.', { type: 'boolean' }),
  ],
});

const groups = attribute('groups', 'The groups that the user is in. Changed through the groups.', {
  type: 'complex',
  multiValued: true,
  mutability: 'readOnly',
  subAttributes: [
    attribute('value', 'The id of the group.', { mutability: 'readOnly', caseExact: true }),
    attribute('$ref', 'The address of the group.', {
      type: 'reference',
      referenceTypes: ['Group'],
      mutability: 'readOnly',
    }),
    attribute('display', 'The name of the group.', { mutability: 'readOnly' }),
    attribute('type', 'How the user is in it.', { mutability: 'readOnly', canonicalValues: ['direct', 'indirect'] }),
  ],
});

/** RFC 7643 §4.1. `caseExact` is said of ids, which the schema of §8.7.1 leaves out. */
export const userSchema: Schema = {
  id: USER,
  name: 'User',
  description: 'User Account',
  attributes: byName([
    attribute('userName', 'The name that the user signs in with at the client. Unique without case.', {
      required: true,
      uniqueness: 'server',
      maxLength: MAX_KEY_CHARACTERS,
    }),
    name,
    attribute('displayName', 'The name of the user, for display.'),
    attribute('nickName', 'The casual name.'),
    attribute('profileUrl', 'The address of a page about the user.', {
      type: 'reference',
      referenceTypes: ['external'],
    }),
    attribute('title', 'The title, such as "Vice President".'),
    attribute('userType', 'The relation to the organization, such as "Contractor".'),
    attribute('preferredLanguage', 'Languages, as in Accept-Language.'),
    attribute('locale', 'The place for currency, dates and numbers, such as "en-US".'),
    attribute('timezone', 'The time zone, by the names of IANA.'),
    attribute('active', 'Whether the user may sign in.', { type: 'boolean' }),
    attribute('password', 'Taken and not kept: nobody signs in here by password.', {
      mutability: 'writeOnly',
      returned: 'never',
      caseExact: true,
    }),
    plural('emails', 'E-mail addresses.', {
      value: attribute('value', 'The address.', { maxLength: MAX_KEY_CHARACTERS }),
      types: ['work', 'home', 'other'],
    }),
    plural('phoneNumbers', 'Telephone numbers.', {
      value: attribute('value', 'The number.'),
      types: ['work', 'home', 'mobile', 'fax', 'pager', 'other'],
    }),
    plural('ims', 'Addresses of instant messaging.', {
      value: attribute('value', 'The address.'),
      types: ['aim', 'gtalk', 'icq', 'xmpp', 'msn', 'skype', 'qq', 'yahoo'],
    }),
    plural('photos', 'Addresses of pictures.', {
      value: attribute('value', 'The address.', { type: 'reference', referenceTypes: ['external'] }),
      types: ['photo', 'thumbnail'],
    }),
    addresses,
    groups,
    plural('entitlements', 'What the user may have.', { value: attribute('value', 'The entitlement.') }),
    plural('roles', 'The roles of the user.', { value: attribute('value', 'The role.') }),
    plural('x509Certificates', 'Certificates.', { value: attribute('value', 'DER, in base64.', { type: 'binary' }) }),
  ]),
};
