import { proven } from '../helpers/connector-record.js';
import { webSocketOwnServer } from '../helpers/websocket-bench.js';

proven(webSocketOwnServer);
