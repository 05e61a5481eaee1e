import { describeConsoleState } from '../conformance/console-state.ts';
import { sqliteState } from '../conformance/state.ts';

describeConsoleState('SQLite', sqliteState);
