// NUL and half surrogate pairs cannot be stored; of the other controls only those of running text are taken.
const UNCLEAN = /(?![\t\n\r])\p{Cc}|\p{Cs}/u;

/** Whether a text holds a control character other than tab and line ends, or half a surrogate pair. */
export function isUnclean(text: string): boolean {
  return UNCLEAN.test(text);
}
