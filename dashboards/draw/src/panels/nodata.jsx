import { FieldType, LoadingState } from '@grafana/data';
import { useTheme2 } from '@grafana/ui';

// empty tells whether there is nothing to draw: no row, or no number in any.
export const empty = (data) => !data.series.some((frame) => frame.fields.some(filled));

const filled = ({ type, values }) => type !== FieldType.time && values.some((value) => value !== null && value !== undefined && value !== '');

// NoData stands where a panel has nothing to draw, yet or at all.
export function NoData({ data, width, height, fieldConfig }) {
  const theme = useTheme2();
  const waiting = data.state === LoadingState.Loading || data.state === LoadingState.NotStarted;
  return (
    <div data-nodata={waiting ? 'waiting' : 'none'} style={{ width, height, display: 'flex', alignItems: 'center', justifyContent: 'center', color: theme.colors.text.secondary }}>
      {waiting ? '' : fieldConfig?.defaults?.noValue ?? 'No data'}
    </div>
  );
}
