// The links at a dashboard's top: to those that share its tags, and to pages; keeping time and variables where they say so.
import { SceneObjectBase, sceneGraph } from '@grafana/scenes';
import { LinkButton, Stack } from '@grafana/ui';

export class Links extends SceneObjectBase {
  static Component = ({ model }) => {
    const { dashboard, all } = model.useState();
    sceneGraph.getTimeRange(model).useState(); // where they lead depends on it
    return <Stack gap={1}>{(dashboard.links ?? []).flatMap((link) => leads(link, dashboard, all)).map(({ title, url, tooltip, target }) => (
      <LinkButton key={title} variant="secondary" fill="outline" icon="apps" href={model.href(url)} tooltip={tooltip} target={target}>{title}</LinkButton>
    ))}</Stack>;
  };

  href({ path, keepTime, includeVars }) {
    const parts = [keepTime && '${__url_time_range}', includeVars && '${__all_variables}'].filter(Boolean);
    return sceneGraph.interpolate(this, parts.length ? `${path}${path.includes('?') ? '&' : '?'}${parts.join('&')}` : path);
  }
}

function leads(link, dashboard, all) {
  const to = (path, title) => ({ title, url: { ...link, path }, tooltip: link.tooltip, target: link.targetBlank ? '_blank' : undefined });
  if (link.type === 'link') return [to(link.url, link.title)];
  return all.filter(({ uid, tags = [] }) => uid !== dashboard.uid && (link.tags ?? []).every((tag) => tags.includes(tag))).map(({ uid, title }) => to(`/d/${uid}`, title));
}
