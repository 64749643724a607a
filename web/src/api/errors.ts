/** What the API answered instead of a result; `message` is its own public text. */
export class ApiError extends Error {
  override name = 'ApiError';

  constructor(
    /** HTTP status, or 0 when no answer came at all. */
    readonly status: number,
    message: string,
    readonly requestId?: string,
  ) {
    super(message);
  }
}

export function isStatus(error: unknown, status: number): boolean {
  return error instanceof ApiError && error.status === status;
}

/** Builds the error of an answer that is not 2xx from its decoded body, whatever that is. */
export function errorOf(response: Response, body: unknown): ApiError {
  const fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const text = typeof fields.error === 'string' && fields.error ? fields.error : undefined;
  const requestId =
    typeof fields.request_id === 'string'
      ? fields.request_id
      : (response.headers.get('X-MEN-RequestID') ?? undefined);
  return new ApiError(response.status, text ?? fallbackText(response.status), requestId);
}

function fallbackText(status: number): string {
  if (status === 401) return 'You are not signed in.';
  if (status === 403) return 'You are not allowed to do this.';
  if (status === 404) return 'This does not exist, or you may not see it.';
  if (status === 429) return 'Too many requests. Wait a moment, then try again.';
  if (status >= 500) return 'The server had a problem with this request.';
  return `The server answered with status ${status}.`;
}
