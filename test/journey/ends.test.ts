import { describeEnds } from './ends.ts';

describeEnds('what ends a session, at two gateways on one database');
