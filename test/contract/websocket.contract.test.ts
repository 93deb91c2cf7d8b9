import { proven } from '../helpers/connector-record.js';
import { webSocketFrames } from '../helpers/websocket-bench.js';

proven(webSocketFrames);
