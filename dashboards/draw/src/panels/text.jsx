import { renderMarkdown, textUtil } from '@grafana/data';

export function TextPanel({ options, replaceVariables }) {
  const text = replaceVariables(options.content ?? '', {}, 'html');
  const html = options.mode === 'html' ? textUtil.sanitize(text) : renderMarkdown(text);
  return <div className="markdown-html" style={{ height: '100%', overflow: 'auto' }} dangerouslySetInnerHTML={{ __html: html }} />;
}
