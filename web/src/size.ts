import { useEffect, useRef, useState } from "preact/hooks";

/** Width and height of an element, followed. */
export function useSize<T extends HTMLElement>(): [{ current: T | null }, number, number] {
  const at = useRef<T>(null), [size, set] = useState<[number, number]>([0, 0]);
  useEffect(() => {
    const watch = new ResizeObserver(() => at.current && set([at.current.clientWidth, at.current.clientHeight]));
    watch.observe(at.current!);
    return () => watch.disconnect();
  }, []);
  return [at, ...size];
}
