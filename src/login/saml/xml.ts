import { DOMParser } from '@xmldom/xmldom';

/** Namespaces of the messages (SAML core §1.2, metadata §1.2, XML Signature, XML Encryption). */
export const NS = {
  protocol: 'urn:oasis:names:tc:SAML:2.0:protocol',
  assertion: 'urn:oasis:names:tc:SAML:2.0:assertion',
  metadata: 'urn:oasis:names:tc:SAML:2.0:metadata',
  signature: 'http://www.w3.org/2000/09/xmldsig#',
} as const;

const DEEPEST = 40;
const MOST_OF_ONE_ELEMENT = 50;

/** What a parser works on for longer than its length alone would tell. */
interface Limits {
  readonly elements: number;
  /** Declarations of namespaces are among them. */
  readonly attributes: number;
  /** Different prefixes that are declared: they are copied at each declaration. */
  readonly declarations: number;
  readonly texts: number;
  /** Different names of elements: each is looked for in the whole text. */
  readonly names: number;
}

/** Of what anybody may send: an assertion with a thousand groups stays below. */
const OF_MESSAGES: Limits = { elements: 2_000, attributes: 6_000, declarations: 30, texts: 3_000, names: 100 };
/** Of what was read from where the config says. */
const OF_METADATA: Limits = { elements: 20_000, attributes: 100_000, declarations: 500, texts: 50_000, names: 1_000 };

const ELEMENT = 1;
const TEXT = 3;
const PROCESSING_INSTRUCTION = 7;

/** Characters that no XML 1.0 document holds (§2.2). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const NO_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

/** Text that is not read any further. `check` names the rule that it breaks. */
export class XmlRefused extends Error {
  readonly check: string;

  constructor(check: string) {
    super(`XML that is not read: ${check}`);
    this.check = check;
  }
}

export interface ReadXmlOptions {
  /**
   * Of a provider rather than a message: ten times as large, and comments mean nothing and are dropped. Default: they are
   * refused, for two readers may see two texts where one stands.
   */
  readonly metadata?: boolean;
}

/**
 * The root of a document without DOCTYPE, processing instructions and CDATA, of at most 40 levels and 2,000 elements, with
 * limits for their attributes, prefixes, texts and names: all looked for before a parser sees the text. Throws XmlRefused.
 */
export function readXml(document: string, { metadata = false }: ReadXmlOptions = {}): Element {
  if (/<!(?:DOCTYPE|ENTITY)/i.test(document)) throw new XmlRefused('doctype');
  const text = metadata ? withoutComments(document) : document;
  if (text.includes('<!--')) throw new XmlRefused('comment');
  if (text.includes('<!')) throw new XmlRefused('cdata');
  if (NO_XML.test(text)) throw new XmlRefused('characters');
  const declared = /^\uFEFF?\s*<\?xml\s([^?<>]*)\?>/.exec(text);
  const encoding = /\bencoding\s*=\s*["']([^"']*)["']/.exec(declared?.[1] ?? '')?.[1] ?? 'utf-8';
  if (encoding.toLowerCase() !== 'utf-8') throw new XmlRefused('encoding');
  const body = text.slice(declared?.[0].length ?? 0);
  if (body.includes('<?')) throw new XmlRefused('processing instruction');
  checkSize(body, metadata ? OF_METADATA : OF_MESSAGES);
  return rootOf(parse(body));
}

function parse(text: string): Document {
  const refuse = (): never => {
    throw new XmlRefused('syntax');
  };
  try {
    return new DOMParser({ errorHandler: { warning: refuse, error: refuse, fatalError: refuse } }).parseFromString(
      text,
      'text/xml',
    );
  } catch {
    throw new XmlRefused('syntax');
  }
}

/** The parser takes text behind the root. */
function rootOf(document: Document | undefined): Element {
  const elements: Node[] = [];
  for (const node of nodesOf(document)) {
    if (node.nodeType === ELEMENT) elements.push(node);
    else if (node.nodeType !== PROCESSING_INSTRUCTION && (node.nodeValue ?? '').trim() !== '') {
      throw new XmlRefused('text outside the root');
    }
  }
  const [root, ...more] = elements;
  if (root === undefined || more.length > 0) throw new XmlRefused('root');
  return root as Element;
}

/** Once over the text: a pattern would begin anew at each comment that does not end. */
function withoutComments(text: string): string {
  const kept: string[] = [];
  let from = 0;
  for (let at = text.indexOf('<!--'); at !== -1; at = text.indexOf('<!--', from)) {
    const end = text.indexOf('-->', at + 4);
    if (end === -1) throw new XmlRefused('comment');
    kept.push(text.slice(from, at));
    from = end + 3;
  }
  return kept.join('') + text.slice(from);
}

function checkSize(text: string, most: Limits): void {
  const [names, prefixes] = [new Set<string>(), new Set<string>()];
  let [depth, elements, attributes, texts] = [0, 0, 0, 0];
  for (let at = text.indexOf('<'); at !== -1; at = text.indexOf('<', at)) {
    const { end, values } = endOfTag(text, at);
    if (text[at + 1] === '/') depth -= 1;
    else {
      elements += 1;
      attributes += values;
      const tag = text.slice(at + 1, end);
      names.add(tag.split(/[\s/]/, 1)[0] as string);
      for (const [, prefix] of tag.matchAll(/xmlns:([^\s=]+)/g)) prefixes.add(prefix as string);
      if (depth + 1 > DEEPEST) throw new XmlRefused('depth');
      if (elements > most.elements) throw new XmlRefused('elements');
      if (names.size > most.names) throw new XmlRefused('names');
      if (values > MOST_OF_ONE_ELEMENT || attributes > most.attributes) throw new XmlRefused('attributes');
      if (prefixes.size > most.declarations) throw new XmlRefused('declarations');
      if (text[end - 1] !== '/') depth += 1;
    }
    if (end + 1 < text.length && text[end + 1] !== '<') texts += 1;
    if (texts > most.texts) throw new XmlRefused('text nodes');
    at = end;
  }
}

/** Where the tag ends, behind its values, in which `>` may stand; and how many they are. */
function endOfTag(text: string, start: number): { readonly end: number; readonly values: number } {
  let quote = '';
  let values = 0;
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text[at] as string;
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === '"' || character === "'") {
      quote = character;
      values += 1;
    } else if (character === '>') return { end: at, values };
  }
  throw new XmlRefused('syntax');
}

function nodesOf(parent: Node | undefined): readonly Node[] {
  return parent === undefined ? [] : Array.from(parent.childNodes);
}

export function isElement(node: Node, namespace: string, name: string): node is Element {
  const element = node as Element;
  return node.nodeType === ELEMENT && element.localName === name && element.namespaceURI === namespace;
}

/** Children of this name, in order. */
export function childrenOf(parent: Element, namespace: string, name: string): readonly Element[] {
  return nodesOf(parent).filter((node): node is Element => isElement(node, namespace, name));
}

/** All children that are elements. */
export function elementsOf(parent: Element): readonly Element[] {
  return nodesOf(parent).filter((node): node is Element => node.nodeType === ELEMENT);
}

/** The one child of this name; undefined when there is none. Throws XmlRefused when there are several. */
export function onlyChild(parent: Element, namespace: string, name: string): Element | undefined {
  const [child, ...more] = childrenOf(parent, namespace, name);
  if (more.length > 0) throw new XmlRefused(`several ${name}`);
  return child;
}

/** The text of an element that holds nothing else; undefined when there are elements in it. */
export function textOf(element: Element): string | undefined {
  const nodes = nodesOf(element);
  return nodes.every(({ nodeType }) => nodeType === TEXT)
    ? nodes.map(({ nodeValue }) => nodeValue).join('')
    : undefined;
}

/** Undefined when it is not there, which an empty one is not. */
export function attributeOf(element: Element, name: string): string | undefined {
  return element.hasAttribute(name) ? (element.getAttribute(name) ?? '') : undefined;
}

/** The element and all below it. */
export function allElements(root: Element): readonly Element[] {
  return [root, ...Array.from(root.getElementsByTagName('*'))];
}
