import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent } from "react";
import type { Refs } from "../api/types";
import { suggestions, type Suggestion } from "../workspace/refs";

interface Props {
  value: string;
  /** What is taken where nothing is typed. */
  placeholder: string;
  /** What there is to choose from, once it is known. */
  refs: Refs | undefined;
  onChange: (value: string) => void;
}

/**
 * A field for a branch, tag or commit that suggests those that there are (ARIA's combobox with a list). Anything can be
 * typed: commits, and what is beyond the list.
 */
export function BranchBox({ value, placeholder, refs, onChange }: Props) {
  const [isOpen, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  /** Whether the text was typed since the list was opened: only then it narrows the list down. */
  const [isTyped, setTyped] = useState(false);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  const found = useMemo(() => suggestions(refs, isTyped ? value : ""), [refs, isTyped, value]);
  const shown = isOpen && found.length > 0;
  const current = shown ? found[active] : undefined;
  const optionId = (index: number): string => `${id}-option-${index}`;

  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [active]);

  const open = (): void => {
    setTyped(false);
    setActive(-1);
    setOpen(true);
  };
  const close = (): void => {
    setOpen(false);
    setActive(-1);
  };
  const choose = ({ name }: Suggestion): void => {
    onChange(name);
    close();
  };

  const pressed = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!shown) return open();
      // Before the first and after the last is the field itself.
      const step = event.key === "ArrowDown" ? 1 : -1;
      const places = found.length + 1;
      setActive((old) => ((old + 1 + step + places) % places) - 1);
    } else if (event.key === "Enter" && current) {
      event.preventDefault();
      choose(current);
    } else if (event.key === "Escape" && shown) {
      event.preventDefault();
      close();
    }
  };

  return (
    <div className="field field-branch">
      <label htmlFor={id}>
        Branch or tag <span className="quiet">(optional)</span>
      </label>
      <div className="combobox">
        <input
          id={id}
          type="text"
          role="combobox"
          aria-autocomplete="list"
          aria-expanded={shown}
          aria-controls={shown ? `${id}-list` : undefined}
          aria-activedescendant={current ? optionId(active) : undefined}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          placeholder={placeholder}
          value={value}
          onChange={(event) => {
            setTyped(true);
            setActive(-1);
            setOpen(true);
            onChange(event.target.value);
          }}
          onClick={() => !isOpen && open()}
          onBlur={close}
          onKeyDown={pressed}
        />
        {shown && (
          <div
            className="suggestions"
            id={`${id}-list`}
            role="listbox"
            aria-label="Branches and tags"
            ref={list}
          >
            {found.map((suggestion, index) => (
              <div
                key={`${suggestion.kind} ${suggestion.name}`}
                id={optionId(index)}
                role="option"
                aria-selected={index === active}
                className="suggestion"
                // The field keeps the focus.
                onMouseDown={(event) => event.preventDefault()}
                onClick={() => choose(suggestion)}
              >
                <span className="suggestion-name">{suggestion.name}</span>{" "}
                {suggestion.isDefault && <span className="suggestion-kind">default</span>}
                {suggestion.kind === "tag" && <span className="suggestion-kind">tag</span>}
              </div>
            ))}
          </div>
        )}
        <span className="visually-hidden" role="status">
          {isOpen && refs && (found.length === 1 ? "1 suggestion" : `${found.length} suggestions`)}
        </span>
      </div>
    </div>
  );
}
