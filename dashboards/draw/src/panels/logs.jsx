import { useState } from 'react';
import { css } from '@emotion/css';
import { dateTimeFormat, FieldType } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import { empty, NoData } from './nodata.jsx';

// LogsPanel lists lines by time. A click on one opens its labels.
export function LogsPanel(props) {
  const { data, options, timeZone, height } = props;
  const styles = useStyles2(stylesOf);
  const [open, setOpen] = useState(null);
  if (empty(data)) return <NoData {...props} />;
  const lines = data.series.flatMap(linesOf);
  lines.sort((a, b) => (options.sortOrder === 'Ascending' ? a.time - b.time : b.time - a.time));
  return (
    <div className={styles.list} style={{ height }}>
      {lines.map((line, i) => (
        <div key={i}>
          <div className={styles.line} data-line onClick={() => setOpen(open === i ? null : i)}>
            <span className={styles.level} data-level={levelOf(line.labels)} />
            {(options.showTime ?? true) && <span className={styles.time}>{dateTimeFormat(line.time, { timeZone, format: 'YYYY-MM-DD HH:mm:ss.SSS' })}</span>}
            {options.showLabels && <span className={styles.time}>{JSON.stringify(line.labels)}</span>}
            <span className={options.wrapLogMessage ? styles.wrapped : styles.text}>{line.text}</span>
          </div>
          {open === i && <table className={styles.labels}><tbody>{Object.entries(line.labels).map(([name, value]) => (
            <tr key={name}><td>{name}</td><td>{typeof value === 'string' ? value : JSON.stringify(value)}</td></tr>))}</tbody></table>}
        </div>
      ))}
    </div>
  );
}

function linesOf(frame) {
  const of = (...names) => frame.fields.find((field) => names.includes(field.name))?.values;
  const times = frame.fields.find((field) => field.type === FieldType.time)?.values ?? [];
  const texts = of('body', 'Line', 'line') ?? [];
  return times.map((time, i) => ({ time, text: texts[i], labels: of('labels')?.[i] ?? {} }));
}

const levelOf = (labels) => String(labels.severity ?? labels.level ?? labels.detected_level ?? '').toLowerCase();

const stylesOf = (theme) => ({
  list: css({ overflow: 'auto', fontFamily: theme.typography.fontFamilyMonospace, fontSize: theme.typography.bodySmall.fontSize }),
  line: css({ display: 'flex', gap: theme.spacing(1), padding: '2px 0', cursor: 'pointer', '&:hover': { background: theme.colors.action.hover } }),
  level: css({
    flex: '0 0 3px', background: theme.visualization.getColorByName('green'),
    '&[data-level^="err"], &[data-level^="crit"], &[data-level^="fatal"]': { background: theme.visualization.getColorByName('red') },
    '&[data-level^="warn"]': { background: theme.visualization.getColorByName('yellow') },
  }),
  time: css({ color: theme.colors.text.secondary, whiteSpace: 'nowrap' }),
  text: css({ whiteSpace: 'pre' }),
  wrapped: css({ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', minWidth: 0 }),
  labels: css({ margin: theme.spacing(0.5, 0, 1, 3), '& td': { padding: theme.spacing(0.25, 2, 0.25, 0), verticalAlign: 'top', overflowWrap: 'anywhere' }, '& td:first-child': { color: theme.colors.text.secondary } }),
});
