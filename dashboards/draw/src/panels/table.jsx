import { useMemo, useState } from 'react';
import { cacheFieldDisplayNames } from '@grafana/data';
import { useTheme2 } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { empty, NoData } from './nodata.jsx';

export function TablePanel(props) {
  const { data, width, height, options, timeRange, fieldConfig } = props;
  const [sortBy, setSortBy] = useState(options.sortBy);
  const theme = useTheme2();
  useMemo(() => cacheFieldDisplayNames(data.series), [data.series]); // the table takes columns' names from there
  if (empty(data)) return <NoData {...props} />;
  const frames = data.series.filter((frame) => frame.fields.length);
  const frame = frames[Math.min(options.frameIndex ?? 0, frames.length - 1)];
  return (
    <TableNG data={frame} width={width} height={height} timeRange={timeRange} fieldConfig={fieldConfig} structureRev={data.structureRev} theme={theme}
      noHeader={options.showHeader === false} showTypeIcons={options.showTypeIcons} resizable sortBy={sortBy} onSortByChange={setSortBy}
      cellHeight={options.cellHeight} enablePagination={options.enablePagination} frozenColumns={options.frozenColumns?.left} />
  );
}
