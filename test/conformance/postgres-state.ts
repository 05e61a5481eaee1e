import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { type State, stateAt } from './state.ts';

/** A new database of its own on a running server. */
export async function postgresState(serverUrl: string): Promise<State> {
  const name = `state_${randomBytes(6).toString('hex')}`;
  await onServer(serverUrl, `create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return stateAt(url.href, () => onServer(serverUrl, `drop database ${name} with (force)`));
}

async function onServer(serverUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
