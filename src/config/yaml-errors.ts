import type { YAMLError } from 'yaml';
import type { ComplaintCode } from './complaint.ts';

interface Sentence {
  readonly code: ComplaintCode;
  readonly message: string;
  readonly hint?: string;
}

/** What the parser found, in our words: its own messages may quote the file, and with it a secret. */
const SENTENCES: Partial<Record<YAMLError['code'], Sentence>> = {
  TAB_AS_INDENT: {
    code: 'yaml_tab',
    message: 'a tab stands where the line is indented',
    hint: 'indent with blanks, two a level',
  },
  BAD_INDENT: {
    code: 'yaml_syntax',
    message: 'the indentation does not fit',
    hint: 'keys of one map begin in the same column; close [ and { before the next key',
  },
  MISSING_CHAR: {
    code: 'yaml_syntax',
    message: 'something is missing here: a closing quote or bracket, a comma, or the blank after a colon',
  },
  BLOCK_AS_IMPLICIT_KEY: {
    code: 'yaml_syntax',
    message: 'a second `key:` stands on the same line',
    hint: 'put it on a line of its own, or quote a value that holds a colon and a blank',
  },
  MULTILINE_IMPLICIT_KEY: {
    code: 'yaml_syntax',
    message: 'this is not a key and a value',
    hint: 'write `key: value`, with a blank after the colon',
  },
  BAD_SCALAR_START: {
    code: 'yaml_syntax',
    message: 'a value begins with a character that YAML keeps for itself',
    hint: 'put the value in quotes',
  },
  BAD_DQ_ESCAPE: {
    code: 'yaml_syntax',
    message: 'a backslash in double quotes begins an escape that YAML does not know',
    hint: 'use single quotes, in which a backslash is itself',
  },
  BAD_ALIAS: {
    code: 'yaml_alias',
    message: 'an alias has no name',
    hint: 'put a text that begins with * in quotes: "*"',
  },
  MULTIPLE_DOCS: {
    code: 'yaml_syntax',
    message: 'a second document begins here',
    hint: 'one file holds one configuration: take the --- out',
  },
  TAG_RESOLVE_FAILED: {
    code: 'yaml_tag',
    message: 'tags have no meaning here',
    hint: 'put a text that begins with ! in quotes',
  },
  BAD_DIRECTIVE: {
    code: 'yaml_syntax',
    message: 'this directive is not known',
    hint: 'the file is YAML 1.2; take the line that begins with % out',
  },
};

export const TOO_DEEP = 'the file is nested too deeply to be read';

const OTHER: Sentence = {
  code: 'yaml_syntax',
  message: 'this is not YAML',
  hint: 'check quotes, brackets and indentation on this line and the one above',
};

/** `line` is the text of the line in which the error stands; only ever looked at, never shown. */
export function sentenceOf(error: YAMLError, line: string): Sentence {
  if (error.code === 'RESOURCE_EXHAUSTION') return { code: 'yaml_syntax', message: TOO_DEEP };
  const sentence = SENTENCES[error.code] ?? OTHER;
  const unquoted = line.replace(/"(?:[^"\\]|\\.)*"|'[^']*'/g, '');
  if (sentence.code === 'yaml_syntax' && unquoted.includes('${')) {
    return { ...sentence, hint: 'between { } and [ ] put a value that holds ${…} in quotes' };
  }
  return sentence;
}
