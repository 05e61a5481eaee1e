/** Whether a host name means this machine. Takes the spelling of URL.hostname (IPv6 in brackets). */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}
