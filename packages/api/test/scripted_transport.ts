/**
 * The facade over a transport that answers what a test says, one response after the other, and notes what it was asked. More
 * questions than answers are an error of the test.
 */
import {
  type ApiRequest,
  type ApiResponse,
  clientIdFromBigint,
  createDatabase,
  type Database,
  type TransportOptions,
} from '../src/index.ts';

export interface Script {
  db: Database;
  requests: ApiRequest[];
  options: TransportOptions[];
  closed: () => number;
}

export function scripted(...responses: ApiResponse[]): Script {
  const requests: ApiRequest[] = [];
  const options: TransportOptions[] = [];
  let closed = 0;
  const transport = {
    call: async (request: ApiRequest, callOptions: TransportOptions): Promise<ApiResponse> => {
      requests.push(request);
      options.push(callOptions);
      const response = responses.shift();
      if (response === undefined) throw new Error('nothing more was scripted');
      return response;
    },
    feed: () => {
      throw new Error('no feed was scripted');
    },
    currentSlot: () => 42n,
    close: async () => {
      closed++;
    },
  };
  return {db: createDatabase(transport, {clientId: clientIdFromBigint(9n)}), requests, options, closed: () => closed};
}
