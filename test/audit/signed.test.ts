import { describeSignedAudit } from '../conformance/audit-signed.ts';
import { sqliteState } from '../conformance/state.ts';

describeSignedAudit('SQLite', sqliteState);
