import { GROUP } from '../../ops/scim/urns.ts';
import { attribute, byName, MAX_KEY_CHARACTERS, type Schema } from './attribute.ts';

/** RFC 7643 §4.2. Rules give by the name of a group, so that the name is unique within a client. */
export const groupSchema: Schema = {
  id: GROUP,
  name: 'Group',
  description: 'Group',
  attributes: byName([
    attribute('displayName', 'The name of the group: the group that rules know.', {
      required: true,
      uniqueness: 'server',
      maxLength: MAX_KEY_CHARACTERS,
    }),
    attribute('members', 'The members of the group.', {
      type: 'complex',
      multiValued: true,
      subAttributes: [
        attribute('value', 'The id of the member.', {
          mutability: 'immutable',
          caseExact: true,
          maxLength: MAX_KEY_CHARACTERS,
        }),
        attribute('$ref', 'The address of the member.', {
          type: 'reference',
          referenceTypes: ['User', 'Group'],
          mutability: 'immutable',
        }),
        attribute('type', 'What the member is.', { mutability: 'immutable', canonicalValues: ['User', 'Group'] }),
        // RFC 7643 §8.7.1 has none: a client compares what it reads with what it wrote.
        attribute('display', 'The name of the member.', { mutability: 'readOnly', returned: 'request' }),
      ],
    }),
  ]),
};
