// Lets a child process of a test run our TypeScript as it stands: `node --import ./typescript.mjs program.ts`.
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
