import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { LatchgateError } from '../model/errors.ts';

/** An address as people write it: IPv4 in IPv6 clothes (`::ffff:10.0.0.1`) is IPv4. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}

/** Whether a peer is in the list of addresses and CIDR blocks. Throws `config_invalid` for what is neither. */
export function createPeerList(list: readonly string[]): (address: string) => boolean {
  if (list.length === 0) return () => false;
  const blocks = new BlockList();
  for (const entry of list) {
    const [address = '', prefix] = entry.split('/', 2);
    const family = isIP(address);
    const bits = prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix);
    if (family === 0 || !Number.isInteger(bits) || bits < 0 || bits > (family === 6 ? 128 : 32) || prefix === '') {
      throw new LatchgateError('config_invalid', `trusted_proxies: ${entry} is no address and no CIDR block`);
    }
    blocks.addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4');
  }
  return (address) => {
    const family = isIP(address);
    return family !== 0 && blocks.check(address, family === 6 ? 'ipv6' : 'ipv4');
  };
}

/**
 * The address that a request came from: of the peer, or what the nearest one of X-Forwarded-For says whom everybody
 * between is trusted to have written truly.
 */
export function createPeerOf(isTrusted: (address: string) => boolean): (req: IncomingMessage) => string {
  return ({ socket, headers }) => {
    let peer = plainAddress(socket.remoteAddress);
    const hops = String(headers['x-forwarded-for'] ?? '').split(',');
    while (hops.length > 0 && isTrusted(peer)) {
      const hop = plainAddress(
        hops
          .pop()
          ?.trim()
          .replace(/^\[(.*)\](?::\d+)?$|^([\d.]+):\d+$/, '$1$2'),
      );
      if (isIP(hop) === 0) break;
      peer = hop;
    }
    return peer;
  };
}
