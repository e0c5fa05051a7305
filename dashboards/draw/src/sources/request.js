// How a panel's queries are run: what is read over HTTP, and what the panel is told meanwhile and when it fails.
import { catchError, from, map, of, startWith } from 'rxjs';
import { LoadingState } from '@grafana/data';

export function runRequest(source, request) {
  const panel = (state, series, error) => ({ state, series, error, errors: error && [error], timeRange: request.range, request, annotations: [] });
  return from(source.query(request)).pipe(
    map(({ data }) => panel(LoadingState.Done, data)),
    catchError((fault) => of(panel(LoadingState.Error, [], { message: String(fault.message ?? fault) }))),
    startWith(panel(LoadingState.Loading, [])),
  );
}

// ask reads JSON, and turns an answer that is none into an error that says what was asked.
export async function ask(url, parameters = {}) {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(parameters) });
  const text = await response.text();
  try {
    return { status: response.status, ...JSON.parse(text) };
  } catch {
    throw new Error(`${url} answered ${response.status}: ${text.slice(0, 200)}`);
  }
}
